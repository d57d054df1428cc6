"""The plain way to score and train, as the known PyTorch reproduction does it.

A dataset that makes a dictionary of NumPy arrays for each cell that is requested (operations
one-hot, mask, both accuracies beside the graph, failed runs replaced), torch's ``DataLoader``,
and a dense forward pass in which every layer normalises both directions and multiplies them one
after the other.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.nn.gcn import GCN


class CellDictionaries(Dataset):  # type: ignore[type-arg]
    """Cells one by one, with the normalised mean of ``y`` where an accuracy is under 0.2."""

    def __init__(self, cells: CellArray, y: np.ndarray | None = None) -> None:
        self._adjacency = cells.adjacency.astype(np.int8)
        self._columns = np.where(cells.mask, cells.columns, 0).astype(np.int8)
        self._vertices = cells.num_vertices
        self._kinds = cells.space.num_columns
        y = np.full(len(cells), 0.9) if y is None else y
        self._accuracies = np.stack([y, y], axis=1).astype(np.float32)
        self._mean, self._std = y.mean(), max(y.std(), 1e-6)

    def __len__(self) -> int:
        return len(self._columns)

    def __getitem__(self, row: int) -> dict[str, np.ndarray]:
        accuracies = [self._mean if y < 0.2 else y for y in self._accuracies[row]]
        vertices = self._vertices[row]
        width = len(self._columns[row])
        features = np.array(
            [[column == kind for kind in range(self._kinds)] for column in self._columns[row]],
            dtype=np.float32,
        )
        if vertices < width:
            features[vertices:] = 0
        accuracy, test_accuracy = ((y - self._mean) / self._std for y in accuracies)
        return {
            "vertices": vertices,
            "adjacency": self._adjacency[row],
            "features": features,
            "mask": np.array([i < vertices for i in range(width)]).astype(np.float32),
            "accuracy": accuracy.astype(np.float32),
            "test_accuracy": test_accuracy.astype(np.float32),
        }


class PlainGCN(nn.Module):
    """The network with a dense layer per direction, each normalising its adjacency."""

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

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Return one number per cell, ``[B]``."""
        adjacency, vertices = batch["adjacency"], batch["vertices"]
        looped = adjacency + torch.eye(adjacency.shape[-1], device=adjacency.device)
        looped = looped / looped.sum(-1, keepdim=True)
        h = batch["features"]
        for outward, inward in zip(self.outward, self.inward, strict=True):
            forward = looped / looped.sum(-1, keepdim=True)
            backward = looped.transpose(1, 2)
            backward = backward / backward.sum(-1, keepdim=True)
            one = F.relu(torch.matmul(forward, torch.matmul(h, outward)))
            other = F.relu(torch.matmul(backward, torch.matmul(h, inward)))
            h = self.dropout((one + other) / 2)
        pooled = (h * batch["mask"].unsqueeze(-1)).sum(1) / vertices.unsqueeze(-1)
        return self.output(self.dropout(self.head(pooled))).squeeze(-1)


@torch.no_grad()
def score_plainly(model: GCN, dataset: CellDictionaries, batch_size: int = 1000) -> Tensor:
    """Score a dataset batch by batch."""
    plain = PlainGCN(model).eval()
    return torch.cat([plain(batch) for batch in DataLoader(dataset, batch_size)])


def train_plainly(
    model: GCN, dataset: CellDictionaries, epochs: int, of_epochs: int = 300
) -> list[float]:
    """Run the first ``epochs`` of the paper's recipe of ``of_epochs``; return their losses."""
    plain = PlainGCN(model).train()
    optimizer = torch.optim.Adam(plain.parameters(), lr=1e-4, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, of_epochs)
    losses = []
    for _ in range(epochs):
        total = 0.0
        loader = DataLoader(dataset, batch_size=10, shuffle=True, drop_last=True)
        for batch in loader:
            optimizer.zero_grad()
            loss = F.mse_loss(plain(batch), batch["accuracy"])
            loss.backward()
            optimizer.step()
            total += loss.item()
        schedule.step()
        losses.append(total / len(loader))
    return losses
