"""Checks of the arguments of estimators: cells, labels, weights and settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyg_nas.errors import DivergedError, ModelError, SettingsError, first_true, listed
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.io.limits import LARGEST_LABEL
from pyg_nas.predictors.parameter_rules import ParameterRule

if TYPE_CHECKING:
    from pyg_nas.data.datasets.dataset import CellDataset
    from pyg_nas.data.tables.table import Table

Cells: TypeAlias = "CellArray | Table | CellDataset | Iterable[Cell]"
"""Accepted types of ``X``: see :func:`as_cells`."""


def as_cells(X: Cells) -> CellArray:
    """Return any object that contains cells as a ``CellArray``.

    Args:
        X: A ``CellArray``, an object with ``cells`` (a table, a dataset), a list of cells, or an
            object array of cells ``[N]`` or ``[N, 1]``, to which scikit-learn converts the others.
            Its meta-estimators that need a matrix (``BaggingRegressor``, ``AdaBoostRegressor``)
            cannot convert a list: give them ``CellArray.from_cells(cells)``.

    Raises:
        ModelError: If it contains something else.
    """
    if isinstance(X, CellArray):
        return X
    cells = getattr(X, "cells", None)
    if isinstance(cells, CellArray):
        return cells
    if isinstance(X, np.ndarray) and X.ndim == 2 and X.shape[1] == 1:
        X = X[:, 0]
    listed: list[Any] = list(X) if isinstance(X, Iterable) else [X]
    if not listed or not all(isinstance(cell, Cell) for cell in listed):
        given = type(X).__name__ if listed else f"an empty {type(X).__name__}, which names no space"
        raise ModelError(
            f"X must be a CellArray, a Table, a dataset of cells or a list of cells, got {given}"
        )
    return CellArray.from_cells(listed)


def check_cells(cells: CellArray, space: SearchSpace, features: bool = False) -> None:
    """Check that a model fitted to cells of ``space`` can predict ``cells``.

    Args:
        cells: The cells to predict.
        space: Space of the training cells.
        features: Whether the model needs the same features of a cell, not only its operations.

    Raises:
        ModelError: If the operations differ, or needed features, for example because only one of
            the two spaces has extra features.
    """
    check_operations(cells.space, space)
    others = features and cells.space != space  # to name the features takes a millisecond
    if others and _features_of(cells.space) != _features_of(space):
        here, there = (
            f"{one.name} (at most {one.max_vertices} vertices and {one.max_edges} edges)"
            for one in (cells.space, space)
        )
        raise ModelError(f"the cells are of the space {here}, the model was fitted to {there}")


def cells_to_predict(estimator: Any, X: Cells) -> CellArray:
    """Return cells whose features a fitted estimator takes.

    Raises:
        NotFittedError: If the estimator is not fitted.
        ModelError: If the cells have other operations or features than the training cells.
    """
    from sklearn.utils.validation import check_is_fitted

    check_is_fitted(estimator)
    cells = as_cells(X)
    check_cells(cells, estimator.space_, features=True)
    return cells


def check_operations(given: SearchSpace, fitted: SearchSpace) -> None:
    """Check that cells of the space ``given`` have the operations that a model was fitted to.

    Raises:
        ModelError: If they have others.
    """
    if given.vocabulary != fitted.vocabulary:
        raise ModelError(
            f"the cells are of the space {given.name!r}, with the operations "
            f"{listed(given.vocabulary)}; the model was fitted to the operations "
            f"{listed(fitted.vocabulary)} of {fitted.name!r}"
        )


def _features_of(space: SearchSpace) -> tuple[Any, ...]:
    """A key of the features of a space's cells: equal for spaces with equal features."""
    from pyg_nas.features.graph_features import graph_feature_names, vertex_feature_names

    support = space.support
    names = graph_feature_names(space), vertex_feature_names(space)
    own = support.path_operations, support.zero_cost_model, support.transfer_table
    return *names, *own


def finite_labels(y: ArrayLike, total: int) -> NDArray[np.float64]:
    """Return ``y`` as float64 ``[N]``.

    Raises:
        SettingsError: If it is not numbers of this shape, is empty, or contains NaN or infinity.
    """
    labels = numbers("y", y)
    if labels.shape != (total,) or total == 0:
        raise SettingsError(f"y must be [{total}] with at least one cell, got {list(labels.shape)}")
    if (row := first_true(~np.isfinite(labels))) is not None:
        raise SettingsError(
            f"y must be finite, got {labels[row]} at {row}; leave out what is not measured"
        )
    if (row := first_true(np.abs(labels) > LARGEST_LABEL)) is not None:
        raise SettingsError(
            f"y must be from {-LARGEST_LABEL:g} to {LARGEST_LABEL:g}, got {labels[row]:g} at {row}"
        )
    return labels


def positive_labels(y: ArrayLike, total: int) -> NDArray[np.float64]:
    """Return ``y`` as float64 ``[N]``, as :func:`finite_labels`.

    Raises:
        SettingsError: As there, or if a label is not above 0.
    """
    labels = finite_labels(y, total)
    if (row := first_true(labels <= 0)) is not None:
        raise SettingsError(
            f"labels must be above 0, as their logarithms are learned; label {row} is {labels[row]}"
        )
    return labels


def numbers(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """Return values of an argument as float64, of any shape, NaN among them and where masked.

    Raises:
        SettingsError: If they are not real numbers.
    """
    try:
        return floats(values)
    except (TypeError, ValueError) as error:
        raise SettingsError(f"{name} must be numbers, one per cell: {error}") from None


def floats(values: ArrayLike) -> NDArray[np.float64]:
    """Return values as float64, of any shape, NaN where masked.

    Raises:
        TypeError: If they are no numbers, or complex.
        ValueError: If they are texts of no numbers, or rows of different lengths.
    """
    if np.iscomplexobj(values):
        raise TypeError("they are complex")
    if isinstance(values, np.ma.MaskedArray):
        return np.where(np.ma.getmaskarray(values), np.nan, values.data).astype(np.float64)
    return np.asarray(values, dtype=np.float64)


def weighted_cells(
    X: Cells, y: ArrayLike, sample_weight: ArrayLike | None = None
) -> tuple[CellArray, NDArray[np.float64], NDArray[np.float64] | None]:
    """Return cells ``[N]``, labels ``[N]`` and weights ``[N]`` of a fit.

    Cells of weight zero are left out. Weights that are all 1 are returned as None.

    Raises:
        ModelError: If ``X`` contains no cells.
        SettingsError: If labels or weights are not finite numbers ``[N]``, a weight is negative or
            all are zero.
    """
    cells = as_cells(X)
    labels = finite_labels(y, len(cells))
    rows, weights = weighted_rows(sample_weight, len(cells))
    return cells[rows], labels[rows], weights


def weighted_rows(
    sample_weight: ArrayLike | None, total: int
) -> tuple[NDArray[np.int64] | slice, NDArray[np.float64] | None]:
    """Return the rows of :func:`checked_weights` above 0, and these; None if all of them are 1."""
    weights = checked_weights(sample_weight, total)
    if weights is None:
        return slice(None), None
    rows = slice(None) if weights.all() else np.flatnonzero(weights)
    return rows, None if (weights[rows] == 1).all() else weights[rows]


def checked_weights(sample_weight: ArrayLike | None, total: int) -> NDArray[np.float64] | None:
    """Return weights as float64 ``[N]``, or None if there are none.

    Raises:
        SettingsError: If they are not ``N`` finite numbers of at least 0, or all are zero.
    """
    if sample_weight is None:
        return None
    weights = numbers("sample_weight", sample_weight)
    if weights.ndim == 0:
        weights = np.full(total, weights)
    if weights.shape != (total,):
        raise SettingsError(f"sample_weight must be [{total}], got {list(weights.shape)}")
    if (row := first_true(~np.isfinite(weights) | (weights < 0))) is not None:
        raise SettingsError(
            f"sample_weight must be finite numbers >= 0, got {weights[row]} at {row}"
        )
    if not weights.any():
        raise SettingsError("sample_weight must have a number above 0, all are zero")
    return weights


def check_converged(loss: NDArray[np.floating[Any]], learning_rate: float) -> None:
    """Check a finished training run by its loss, ``[epochs, ...]``.

    Raises:
        DivergedError: If it is not finite to the end.
    """
    finite = np.isfinite(loss.reshape(len(loss), -1)).all(axis=1)
    if not finite.all():
        raise DivergedError(
            f"the training diverged: its loss is not finite from epoch "
            f"{int(np.argmin(finite)) + 1} of {len(loss)} on; learning_rate {learning_rate:g} is "
            f"too high"
        )


def check_parameters(estimator: Any) -> None:
    """Check the constructor arguments of an estimator by its class' ``parameter_rules``.

    Raises:
        SettingsError: If a value is outside its rule; it names the argument, rule and value.
    """
    rules: Mapping[str, ParameterRule] = getattr(type(estimator), "parameter_rules", {})
    for name, rule in rules.items():
        rule(name, getattr(estimator, name))
