"""Predictions of cells that a process has seen before, after other cells were added to it.

What the process of the last fit knows of a cell does not change when training cells are added: an
added cell has one further covariance with it. Only that is computed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.linalg import vector_norm

from pyg_nas.compute.jit import compiled_enabled
from pyg_nas.features.graph_features import CellFeatures
from pyg_nas.predictors.gaussian_process.kernels import MaternLinearKernel

if TYPE_CHECKING:
    from pyg_nas.predictors.gaussian_process.regressor import GaussianProcess

_ADDED_AT_ONCE = 16


@dataclass(frozen=True)
class AddedCells:
    """The ``k`` cells that were added to a process since its fit to ``n`` cells.

    Args:
        inputs: Their weighted inputs, float64 ``[k, d]``.
        rows: Their whitened covariances with the ``n`` cells, float64 ``[k, n]``. Those of a cell
            do not depend on the other added cells, to the last bit.
        targets: Whitened targets of the ``n`` cells, float64 ``[n]``.
        dual: Part of the process' dual vector, float64 ``[k]``.
        factor: Cholesky factor of their covariance given the ``n`` cells, float64 ``[k, k]``.
    """

    inputs: Tensor
    rows: Tensor
    targets: Tensor
    dual: Tensor
    factor: Tensor


@dataclass
class WhitenedCells:
    """What the process of a fit to ``n`` cells knows of ``N`` other cells.

    It does not change when cells are added to the process, which only adds covariances. Single
    precision is enough: whitened rows and labels are of order one, so that no large terms cancel.

    Args:
        inputs: Weighted inputs, float32 ``[N, d]``.
        squares: Their squared lengths, float64 ``[N]``.
        rows: The inverse Cholesky factor times the covariances of both, float32 ``[N, n]``.
        variances: Variances given the ``n`` cells, without noise, float64 ``[N]``.
        covariances: Covariances with added cells given the ``n`` cells, float32 ``[most, N]``.
        added: Weighted inputs of the added cells whose covariances are known, ``[k, d]``.
    """

    inputs: Tensor
    squares: Tensor
    rows: Tensor
    variances: Tensor
    covariances: Tensor
    added: Tensor

    def num_known(self, inputs: Tensor) -> int:
        """Return of how many of the first added cells ``[k, d]`` the covariances are known."""
        both = min(len(inputs), len(self.added))
        same = (inputs[:both] == self.added[:both]).all(dim=1)
        return int(same.long().cumprod(dim=0).sum())


def whitened_cells(process: GaussianProcess, features: CellFeatures, count: int) -> WhitenedCells:
    """Return whitened covariances of ``N`` cells with the first ``count`` training cells."""
    inputs = process.weighted_inputs(features)
    squares = vector_norm(inputs, dim=1).square()
    between = process.kernel_.covariance(process.inputs_[:count], inputs, squares)  # [count, N]
    factor = process.factor_[:count, :count]
    rows = torch.linalg.solve_triangular(factor, between, upper=False).T
    variances = process.kernel_.variances(inputs, squares) - vector_norm(rows, dim=1).square()
    kept = inputs.float()
    # Of the inputs as they are kept: a distance is a difference of large terms.
    squares = vector_norm(kept, dim=1, dtype=torch.float64).square()
    none = rows.new_empty(0, len(kept))
    return WhitenedCells(kept, squares, rows.float(), variances, none, process.inputs_[:0])


def added_cells(process: GaussianProcess, count: int) -> AddedCells:
    """Return the training cells after the first ``count``, for :func:`predict_whitened`."""
    inputs, first = process.inputs_[count:], process.inputs_[:count]
    # LAPACK works on columns: a part of the factor would be copied for each product.
    factor = process.factor_[:count, :count].mT.contiguous().mT
    rows = torch.empty(len(inputs), count, dtype=torch.float64)
    for start in range(0, len(inputs), _ADDED_AT_ONCE):
        part = inputs[start : start + _ADDED_AT_ONCE]
        # Products of one size: rounding depends on the size, not on the other columns.
        filled = inputs.new_zeros(_ADDED_AT_ONCE, inputs.shape[1])
        filled[: len(part)] = part
        between = process.kernel_.covariance(first, filled)
        found = torch.linalg.solve_triangular(factor, between, upper=False)
        rows[start : start + len(part)] = found.T[: len(part)]
    targets = process.factor_[:, :count].T @ process.dual_
    return AddedCells(
        inputs, rows, targets, process.dual_[count:], process.factor_[count:, count:].contiguous()
    )


def predict_whitened(
    process: GaussianProcess, cells: WhitenedCells, added: AddedCells, with_std: bool = True
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation ``[N]`` of cells, with new covariances only.

    They are those of :meth:`GaussianProcess.predict_features
    <pyg_nas.predictors.gaussian_process.regressor.GaussianProcess.predict_features>` to 1e-6. The
    mean is the whitened rows times the whitened targets plus the covariances with the added cells,
    given the others, times their part of the dual vector. The variance follows by another whitening
    of these covariances (Rasmussen and Williams, 2006, algorithm 2.1). Covariances that are
    computed are kept in ``cells``; standard deviations that are not asked for are 0.
    """
    known = cells.num_known(added.inputs)
    cells.added = cells.added[:known]  # an interruption leaves no covariances of others
    mean = _means(process.kernel_, cells, added, known)
    cells.added = added.inputs
    deviations = torch.zeros_like(cells.variances)
    if with_std:
        covariances = cells.covariances[: len(added.inputs)].double()
        rows = torch.linalg.solve_triangular(added.factor, covariances, upper=False)  # [k, N]
        variances = cells.variances - rows.square().sum(dim=0)
        deviations = (variances.clamp(min=0) + process.noise_).sqrt()
    return mean.numpy() * process.std_ + process.mean_, deviations.numpy() * process.std_


def _means(
    kernel: MaternLinearKernel, cells: WhitenedCells, added: AddedCells, known: int
) -> Tensor:
    """Return means ``[N]`` of standardised labels, all but ``known`` covariances being new."""
    new = slice(known, len(added.inputs))
    if compiled_enabled():
        from pyg_nas.engine.numba_whitened import whitened_means

        means = whitened_means(
            cells.inputs.numpy(),
            cells.squares.numpy(),
            cells.rows.numpy(),
            cells.covariances.numpy(),
            added.targets.numpy(),
            added.dual.numpy(),
            added.inputs[new].numpy(),
            added.rows[new].numpy(),
            known,
            float(kernel.variance),
            float(kernel.linear),
        )
        return torch.from_numpy(means)
    rows, inputs = cells.rows.double(), cells.inputs.double()
    between = kernel.covariance(added.inputs[new], inputs, cells.squares)
    cells.covariances[new] = (between - added.rows[new] @ rows.T).float()
    return rows @ added.targets + added.dual @ cells.covariances[: new.stop].double()
