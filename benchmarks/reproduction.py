"""The plain way to score and train, as the known PyTorch reproduction goes about it.

One object a cell with padded tensors, a stock ``DataLoader``, and a dense forward pass in which
both directions are normalised for every batch and multiplied one after the other.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch_geometric.data import Data, InMemoryDataset
from torch_geometric.loader import DataLoader

from pyg_nas.cell_array import CellArray
from pyg_nas.nn.models import GCN


class PaddedCells(InMemoryDataset):
    """One ``Data`` a cell: ``adjacency`` [1, V, V], ``features`` [1, V, C], ``vertices`` [1]."""

    def __init__(self, cells: CellArray, y: np.ndarray | None = None) -> None:
        super().__init__()
        mask = torch.from_numpy(cells.mask).unsqueeze(-1)
        features = F.one_hot(torch.from_numpy(cells.columns), cells.space.num_columns) * mask
        self.data = Data(
            adjacency=torch.from_numpy(cells.adjacency).float(),
            features=features.float(),
            vertices=torch.from_numpy(cells.num_vertices.astype(np.int64)),
            y=torch.zeros(len(cells)) if y is None else torch.from_numpy(y).float(),
        )
        ends = torch.arange(len(cells) + 1)
        self.slices = dict.fromkeys(("adjacency", "features", "vertices", "y"), ends)


class PlainGCN(nn.Module):
    """The network with a dense layer per direction, normalising each batch on the way."""

    def __init__(self, model: GCN) -> None:
        super().__init__()
        self.outward = nn.ParameterList(
            nn.Parameter(c.weight_out.detach().clone()) for c in model.convs
        )
        self.inward = nn.ParameterList(
            nn.Parameter(c.weight_in.detach().clone()) for c in model.convs
        )
        self.head = nn.Linear(model.head.in_features, model.head.out_features, bias=False)
        self.output = nn.Linear(model.head.out_features, 1, bias=False)
        self.head.load_state_dict(model.head.state_dict())
        self.output.load_state_dict(model.output.state_dict())
        self.dropout = nn.Dropout(model.dropout)

    def forward(self, adjacency: Tensor, features: Tensor, vertices: Tensor) -> Tensor:
        """Return one number a cell, ``[B]``."""
        width = adjacency.shape[-1]
        looped = adjacency + torch.eye(width, device=adjacency.device)
        forward = looped / looped.sum(-1, keepdim=True)
        backward = forward.transpose(1, 2)
        backward = backward / backward.sum(-1, keepdim=True)
        h = features
        for outward, inward in zip(self.outward, self.inward, strict=True):
            one = F.relu(torch.matmul(forward, torch.matmul(h, outward)))
            other = F.relu(torch.matmul(backward, torch.matmul(h, inward)))
            h = self.dropout((one + other) / 2)
        mask = torch.arange(width, device=h.device) < vertices.unsqueeze(-1)
        pooled = (h * mask.unsqueeze(-1)).sum(1) / vertices.unsqueeze(-1)
        return self.output(self.dropout(self.head(pooled))).squeeze(-1)


@torch.no_grad()
def score_plainly(model: GCN, dataset: PaddedCells, batch_size: int = 1024) -> Tensor:
    """Score a dataset batch by batch through PyG's ``DataLoader``."""
    plain = PlainGCN(model).eval()
    return torch.cat(
        [
            plain(batch.adjacency, batch.features, batch.vertices)
            for batch in DataLoader(dataset, batch_size=batch_size)
        ]
    )


def train_plainly(model: GCN, dataset: PaddedCells, epochs: int, of_epochs: int = 300) -> None:
    """Run the first ``epochs`` of the paper's recipe of ``of_epochs``: batches of 10, Adam."""
    plain = PlainGCN(model).train()
    optimizer = torch.optim.Adam(plain.parameters(), lr=1e-4, weight_decay=1e-3)
    loader = DataLoader(dataset, batch_size=10, shuffle=True, drop_last=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, of_epochs * len(loader))
    for _ in range(epochs):
        for batch in loader:
            optimizer.zero_grad()
            predicted = plain(batch.adjacency, batch.features, batch.vertices)
            F.mse_loss(predicted, batch.y).backward()
            optimizer.step()
            schedule.step()
