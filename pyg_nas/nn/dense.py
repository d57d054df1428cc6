"""Cells as padded tensors, and the graph convolution as batched matrix products on them.

Cells are so small (7 vertices in NAS-Bench-101) that padding wastes little, and a batched product
has no index work at all. A leading member dimension ``M`` lets an ensemble share every call.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from pyg_nas.graphs.cell_array import CellArray


class DenseCells(NamedTuple):
    """``N`` cells as padded tensors.

    Attributes:
        x: One-hot operations ``[N, V, columns]``, zero at padding.
        propagation: ``[N, 2, V, V]``, ``Â`` and ``Â'`` of each cell, zero at padding.
        pool: ``[N, 1, V]``, 1 / V at real vertices, zero at padding: the readout's mean.
    """

    x: Tensor
    propagation: Tensor
    pool: Tensor

    def __getitem__(self, index: Tensor) -> DenseCells:  # type: ignore[override]
        """Select cells; an index ``[M, B]`` gives tensors with two leading dimensions."""
        return DenseCells(self.x[index], self.propagation[index], self.pool[index])

    def to(self, device: torch.device | str) -> DenseCells:
        """Move all three to a device."""
        return DenseCells(*(tensor.to(device) for tensor in self))


def dense_cells(cells: CellArray) -> DenseCells:
    """Return ``cells`` as padded tensors on the CPU (see :class:`DenseCells`)."""
    return padded_cells(
        torch.from_numpy(cells.adjacency).float(),
        torch.from_numpy(cells.columns),
        torch.from_numpy(cells.mask).float(),
        cells.space.num_columns,
    )


def padded_cells(adjacency: Tensor, columns: Tensor, mask: Tensor, num_columns: int) -> DenseCells:
    """Return padded cells from tensors of one floating type.

    Args:
        adjacency: ``[N, V, V]``.
        columns: One-hot columns of the operations, whole numbers ``[N, V]``.
        mask: 1 where there is a vertex, 0 at padding, ``[N, V]``.
        num_columns: Columns in all.
    """
    loops = adjacency + torch.diag_embed(mask)
    # Rows of padding are all zero; any divisor leaves them so.
    outward = loops / loops.sum(-1, keepdim=True).clamp_min(1)
    inward = outward.transpose(1, 2)
    received = inward.sum(-1, keepdim=True)
    inward = inward / torch.where(received > 0, received, 1)
    kinds = torch.arange(num_columns, device=columns.device)
    x = (columns.unsqueeze(-1) == kinds).to(mask.dtype) * mask.unsqueeze(-1)
    pool = (mask / mask.sum(-1, keepdim=True)).unsqueeze(-2)
    return DenseCells(x, torch.stack([outward, inward], dim=1), pool)


def dense_conv(aggregated: Tensor, weight: Tensor) -> Tensor:
    """Finish a bidirectional convolution from the already aggregated features.

    Args:
        aggregated: ``[..., M, B, 2, V, C_in]``: ``Â H`` and ``Â' H``.
        weight: ``[..., M, 2, C_in, C_out]``: W+ and W-.

    Returns:
        ``[..., M, B, V, C_out]``.
    """
    *lead, cells, _, vertices, channels = aggregated.shape
    rows = aggregated.transpose(-4, -3).reshape(*lead, 2, cells * vertices, channels)
    both = torch.matmul(rows, weight).relu_()
    return torch.unflatten(both.sum(dim=-3) * 0.5, -2, (cells, vertices))
