"""Training and prediction of residual networks on graphs of any size, by sparse message passing.

Memory and time of a step are linear in the vertices and edges of its batch; nothing is padded.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pyg_nas.compute.generators import seeded_generator
from pyg_nas.engine.progress import OnEpoch
from pyg_nas.engine.residual import ResidualTrainingConfig, optimizer_of, take_step
from pyg_nas.nn.residual_gnn import ResidualGNN, mask_shapes
from pyg_nas.spaces.modules.network_array import NetworkArray

_BATCH_GRAPHS, _BATCH_VERTICES = 256, 32_768  # of one pass in prediction


class SparseGraphs(NamedTuple):
    """Inputs of residual networks for ``N`` graphs of any size.

    Attributes:
        networks: The graphs, with the attributes of vertices as the networks take them.
        graph: ``[N, graph_columns]``.
    """

    networks: NetworkArray
    graph: NDArray[np.float32]

    def batch(self, rows: NDArray[np.int64], device: torch.device) -> tuple[Tensor, ...]:
        """Return the inputs of the networks for the graphs in ``rows`` ``[B]``.

        ``x`` ``[V, vertex_columns]``, ``edge_index`` ``[2, E]``, ``batch`` ``[V]`` and ``graph``
        ``[B, graph_columns]``, for the ``V`` vertices and ``E`` edges of these graphs.
        """
        part = self.networks.select(rows)
        arrays = (part.one_hot(), part.joined_edges, part.graph, self.graph[rows])
        return tuple(torch.from_numpy(array).to(device) for array in arrays)


def train_sparse_residual(
    network: ResidualGNN,
    graphs: SparseGraphs,
    targets: NDArray[np.float32],
    weights: NDArray[np.float32],
    config: ResidualTrainingConfig,
    seed: int,
    progress: OnEpoch | None = None,
) -> NDArray[np.float64]:
    """Train residual networks in place; return the members' mean loss by epoch ``[epochs]``.

    All members are trained on the same batches, each with its own dropout.

    Args:
        network: ``M`` members.
        graphs: ``N`` graphs.
        targets: ``[N]``.
        weights: Weights of the graphs in the loss ``[N]``.
        config: Training settings; where there are fewer graphs than a batch has, all are one.
        seed: Random seed of batches and dropout.
        progress: Called after each epoch.
    """
    device = network.embed.device
    shuffler = seeded_generator(seed)
    generator = seeded_generator(seed, device)
    size = min(config.batch_size, len(targets))
    steps = len(targets) // size
    optimizer = optimizer_of(network, config)
    rates, betas = config.cycle(steps)
    losses = np.empty(config.epochs)
    for epoch in range(config.epochs):
        order = torch.randperm(len(targets), generator=shuffler)[: steps * size].view(steps, size)
        total = 0.0
        for step, rows in enumerate(order.numpy(), epoch * steps):
            x, edge_index, batch, graph = graphs.batch(rows, device)
            keep = _masks(network, size, len(x), generator) if network.dropout else None
            predicted = network(x, edge_index, batch, graph, keep)[..., 0]  # [M, B]
            errors = (predicted - torch.from_numpy(targets[rows]).to(device)).square()
            errors = errors * torch.from_numpy(weights[rows]).to(device)
            total += take_step(optimizer, errors, rates[step], betas[step])
        losses[epoch] = total / (steps * len(network.embed))
        if progress is not None:
            progress(epoch + 1, losses[epoch])
    return losses


@torch.no_grad()
def predict_sparse_residual(network: ResidualGNN, graphs: SparseGraphs) -> NDArray[np.float32]:
    """Return each member's outputs of each graph, ``[M, N]``."""
    parts = [np.empty((len(network.embed), 0), dtype=np.float32)]
    for rows in graphs.networks.blocks(_BATCH_GRAPHS, _BATCH_VERTICES):
        inputs = graphs.batch(rows, network.embed.device)
        parts.append(network(*inputs)[..., 0].cpu().numpy())
    return np.concatenate(parts, axis=1)


def _masks(
    network: ResidualGNN, graphs: int, vertices: int, generator: torch.Generator
) -> list[Tensor]:
    """Dropout masks of one batch, as the network's forward pass takes them."""
    return [
        torch.empty(shape, dtype=torch.uint8, device=generator.device).bernoulli_(
            1 - network.dropout, generator=generator
        )
        for shape in mask_shapes(network, graphs, vertices)
    ]
