"""Predictions of cells that a process has seen before, after other cells were added to it.

What the process of the last fit knows of a cell does not change when training cells are added: an
added cell has one further whitened covariance with it. Only that is computed.
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
        rows: Their whitened covariances with the ``n`` cells, float64 ``[k, n]``.
        factor: Cholesky factor of their covariance given the ``n`` cells, float64 ``[k, k]``.
        targets: Whitened targets of the ``n`` cells and of these, float64 ``[n + k]``.

    ``rows`` and ``factor`` of a cell do not depend on those after it, to the last bit.
    """

    inputs: Tensor
    rows: Tensor
    factor: Tensor
    targets: Tensor


@dataclass
class WhitenedCells:
    """What the process of a fit to ``n`` cells knows of ``N`` other cells.

    It does not change when cells are added to the process, which only adds whitened covariances.
    Single precision is enough: whitened rows and labels are of order one, so that no large terms
    cancel.

    Args:
        inputs: Weighted inputs, float32 ``[N, d]``.
        squares: Their squared lengths, float64 ``[N]``.
        rows: The inverse Cholesky factor times the covariances of both, float32 ``[N, n]``.
        variances: Variances given the ``n`` cells, without noise, float64 ``[N]``.
        added_rows: Their continuation for added cells, float32 ``[N, most]``.
        added: Weighted inputs of the added cells whose covariances are known, ``[k, d]``.
    """

    inputs: Tensor
    squares: Tensor
    rows: Tensor
    variances: Tensor
    added_rows: Tensor
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
    none = kept.new_empty(len(kept), 0)
    return WhitenedCells(kept, squares, rows.float(), variances, none, process.inputs_[:0])


def added_cells(process: GaussianProcess, count: int) -> AddedCells:
    """Return the training cells after the first ``count``, for :func:`predict_whitened`."""
    inputs, first, kernel = process.inputs_[count:], process.inputs_[:count], process.kernel_
    # LAPACK works on columns: a part of the factor would be copied for each product.
    known = process.factor_[:count, :count].mT.contiguous().mT
    rows = torch.empty(len(inputs), count, dtype=torch.float64)
    factor = torch.zeros(len(inputs), len(inputs), dtype=torch.float64)
    for start in range(0, len(inputs), _ADDED_AT_ONCE):
        part, earlier = inputs[start : start + _ADDED_AT_ONCE], slice(0, start)
        # Products of one size: rounding depends on the size, not on the other columns.
        filled = inputs.new_zeros(_ADDED_AT_ONCE, inputs.shape[1])
        filled[: len(part)] = part
        own = torch.linalg.solve_triangular(known, kernel.covariance(first, filled), upper=False)
        between = kernel.covariance(inputs[earlier], filled) - rows[earlier] @ own
        before = torch.linalg.solve_triangular(factor[earlier, earlier], between, upper=False)
        corner = kernel.covariance(filled, filled) - own.T @ own - before.T @ before
        corner.diagonal().add_(process.noise_)
        here = slice(start, start + len(part))
        rows[here], factor[here, earlier] = own.T[: len(part)], before.T[: len(part)]
        factor[here, here] = torch.linalg.cholesky(corner)[: len(part), : len(part)]
    return AddedCells(inputs, rows, factor, process.factor_.T @ process.dual_)


def predict_whitened(
    process: GaussianProcess, cells: WhitenedCells, added: AddedCells, with_std: bool = True
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation ``[N]`` of cells, with new covariances only.

    They are those of :meth:`GaussianProcess.predict_features
    <pyg_nas.predictors.gaussian_process.regressor.GaussianProcess.predict_features>` to 1e-6. The
    mean is the whitened covariances with all training cells times their whitened targets; each
    covariance reduces the variance by its square (Rasmussen and Williams, 2006, algorithm 2.1).

    Args:
        process: The process, after cells were added.
        cells: The cells, with memory for all added cells. New covariances are kept in it.
        added: The added cells of the process.
        with_std: Whether standard deviations are computed; else they are 0.
    """
    known = cells.num_known(added.inputs)
    cells.added = cells.added[:known]  # an interruption leaves no covariances of others
    mean, reduced = _sums(process.kernel_, cells, added, known)
    cells.added = added.inputs
    deviations = np.zeros(len(mean))
    if with_std:
        variances = np.maximum(cells.variances.numpy() - reduced, 0)
        deviations = np.sqrt(variances + process.noise_) * process.std_
    return mean * process.std_ + process.mean_, deviations


def _sums(
    kernel: MaternLinearKernel, cells: WhitenedCells, added: AddedCells, known: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return means ``[N]`` of standardised labels, and what added cells take off variances ``[N]``.

    All but ``known`` of the added cells are new.
    """
    total = len(added.inputs)
    new = slice(known, total)
    if compiled_enabled():
        from pyg_nas.engine.compiled import whitened_sums

        return whitened_sums(
            cells.inputs.numpy(),
            cells.squares.numpy(),
            cells.rows.numpy(),
            cells.added_rows.numpy(),
            added.targets.numpy(),
            added.inputs[new].numpy(),
            added.rows[new].numpy(),
            added.factor[new].numpy(),
            float(kernel.variance),
            float(kernel.linear),
        )
    rows = cells.rows.double()
    between = kernel.covariance(added.inputs[new], cells.inputs.double(), cells.squares)
    between -= added.rows[new] @ rows.T
    between -= added.factor[new, :known] @ cells.added_rows[:, :known].double().T
    found = torch.linalg.solve_triangular(added.factor[new, new], between, upper=False)
    cells.added_rows[:, new] = found.T.float()
    added_rows = cells.added_rows[:, :total].double()
    fitted, later = added.targets.split([rows.shape[1], total])
    means = rows @ fitted + added_rows @ later
    return means.numpy(), added_rows.square().sum(dim=1).numpy()
