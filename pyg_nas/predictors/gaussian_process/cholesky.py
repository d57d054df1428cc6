"""Cholesky factors of large matrices, without memory for a copy of the matrix."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.linalg import solve_triangular

_SIZE = 256  # rows and columns of a block


def factored_in_place(matrix: Tensor) -> Tensor:
    """Return the lower Cholesky factor of a symmetric matrix ``[n, n]``, in the matrix's memory.

    Raises:
        torch.linalg.LinAlgError: If the matrix is not positive definite.
    """
    # LAPACK works on columns, which are the rows of the transpose: nothing is copied.
    factor: Tensor = torch.linalg.cholesky(matrix.mT, out=matrix.mT)
    return factor


def solved(factor: Tensor, targets: Tensor) -> Tensor:
    """Return the inverse of the matrix with a lower factor ``[n, n]`` times targets ``[n]``."""
    # torch.cholesky_solve copies the factor.
    half = solve_triangular(factor, targets[:, None], upper=False)
    found: Tensor = solve_triangular(factor.mT, half, upper=True).squeeze(1)
    return found


def inverse_diagonal(factor: Tensor) -> Tensor:
    """Return the diagonal ``[n]`` of the inverse of the matrix with a lower factor ``[n, n]``."""
    diagonal = torch.empty(len(factor), dtype=factor.dtype)
    for start in range(0, len(factor), _SIZE):
        rows = torch.arange(start, min(start + _SIZE, len(factor)))
        diagonal[rows] = _inverse_factor(factor, rows).square().sum(dim=0)
    return diagonal


def inverse_blocks(factor: Tensor, groups: Sequence[Tensor]) -> Iterator[Tensor]:
    """Yield the block ``[g, g]`` of the same inverse for each group of rows ``[g]``."""
    waiting: list[Tensor] = []
    for number, group in enumerate(groups, start=1):
        waiting.append(group)
        if number == len(groups) or sum(map(len, waiting)) >= _SIZE:
            columns = _inverse_factor(factor, torch.cat(waiting))
            for part in columns.split([len(group) for group in waiting], dim=1):
                yield part.T @ part
            waiting = []


def _inverse_factor(factor: Tensor, rows: Tensor) -> Tensor:
    """Return columns of the inverse factor ``[n - first, g]``, zeros above the first row left out.

    The inverse of ``L Lᵀ`` is ``L⁻ᵀ L⁻¹``: its entries are inner products of these columns.
    """
    first = int(rows.min())
    found = torch.zeros(len(factor) - first, len(rows), dtype=factor.dtype)
    found[rows - first, torch.arange(len(rows))] = 1
    # By blocks of rows: a triangle that is only a part of the factor would be copied.
    for start in range(0, len(found), _SIZE):
        part, square = found[start : start + _SIZE], factor[first + start :, first + start :]
        part -= factor[first + start :, first : first + start][:_SIZE] @ found[:start]
        part.copy_(solve_triangular(square[:_SIZE, :_SIZE], part, upper=False))
    return found
