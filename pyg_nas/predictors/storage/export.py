"""A trained model for use without PyG: as ONNX, or as a plain ``torch.export`` program.

Both take the columns of a table as they are: ``adjacency`` int8 ``[N, V, V]``, ``operations``
int8 ``[N, V]`` (ids) and ``num_vertices`` int8 ``[N]``, zero padded, for any number of cells
``N`` and any padded size ``V``, and return ``score`` float32 ``[N]``, in the unit of the labels.
"""

from __future__ import annotations

import io
import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from pyg_nas.compute.exported import (
    ONNX,
    check_onnx,
    check_program_format,
    onnx_bytes,
    pt2_bytes,
    quiet_exporter,
    run_onnx,
)
from pyg_nas.errors import ModelError
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.io.files import atomic_path
from pyg_nas.nn.dense import DenseCells, DenseGCN, padded_cells
from pyg_nas.predictors.gnn.gcn import GCNClassifier, GCNRegressor
from pyg_nas.predictors.gnn.two_stage import PASSING_PROBABILITY, TwoStageRegressor

if TYPE_CHECKING:
    from torch.export import ExportedProgram

INPUTS = ("adjacency", "operations", "num_vertices")
OUTPUT = "score"
AXES = ({0: "cells", 1: "vertices", 2: "vertices"}, {0: "cells", 1: "vertices"}, {0: "cells"})
"""Axes of any size of each input."""

TOLERANCE = 1e-4
"""Largest difference from the estimator, in standard deviations of its labels."""

_CHECKED_CELLS = 256


class CellScorer(nn.Module):
    """A fitted regressor as one network over a table's columns, in float32.

    Args:
        regressor: Fitted.
        least: No score is below it; None for any score.
    """

    def __init__(self, regressor: GCNRegressor, least: float | None = None) -> None:
        super().__init__()
        self.least = least
        self.columns = _Columns(regressor.space_)
        self.network = DenseGCN(regressor.members_)
        self.mean, self.std = regressor.mean_, regressor.std_

    def forward(self, adjacency: Tensor, operations: Tensor, num_vertices: Tensor) -> Tensor:
        """Return the scores ``[N]``."""
        cells = self.columns(adjacency, operations, num_vertices)
        scores: Tensor = self.network(cells).mean(dim=0) * self.std + self.mean
        return scores if self.least is None else scores.clamp_min(self.least)


class TwoStageScorer(nn.Module):
    """A fitted two-stage regressor as one network over a table's columns, in float32."""

    def __init__(self, model: TwoStageRegressor) -> None:
        super().__init__()
        classifier: Any = model.classifier_
        self.regressor = CellScorer(model.regressor_)
        self.columns = _Columns(classifier.space_)
        self.classifier = DenseGCN(classifier.members_)
        self.slope, self.intercept = model.calibration_
        self.threshold, self.mean_below = model.threshold_, model.mean_below_

    def forward(self, adjacency: Tensor, operations: Tensor, num_vertices: Tensor) -> Tensor:
        """Return the scores ``[N]``: at least the threshold for cells that pass, else below."""
        score = self.regressor(adjacency, operations, num_vertices)
        cells = self.columns(adjacency, operations, num_vertices)
        logit = self.classifier(cells).mean(dim=0)
        probability = torch.sigmoid(self.slope * logit + self.intercept)
        share = probability / PASSING_PROBABILITY
        below = self.mean_below + (self.threshold - self.mean_below) * share
        passing = probability >= PASSING_PROBABILITY
        threshold = float(np.float32(self.threshold))
        highest = float(np.nextafter(np.float32(self.threshold), np.float32(-np.inf)))
        return torch.where(passing, score.clamp_min(threshold), below.clamp_max(highest))


class _Columns(nn.Module):
    """:func:`pyg_nas.nn.dense.dense_cells` of a table's columns."""

    def __init__(self, space: SearchSpace) -> None:
        super().__init__()
        self.first_id, self.num_columns = space.first_id, space.num_columns

    def forward(self, adjacency: Tensor, operations: Tensor, num_vertices: Tensor) -> DenseCells:
        position = torch.arange(operations.shape[1], device=operations.device)
        mask = (position < num_vertices.long().unsqueeze(1)).float()
        columns = operations.long() - self.first_id
        return padded_cells(adjacency.float(), columns, mask, self.num_columns)


def scorer(estimator: Any) -> nn.Module:
    """Return a fitted estimator as a network over a table's columns.

    Raises:
        NotFittedError: If it is not fitted.
        ModelError: If it is not a graph network, alone or in two stages.
    """
    if isinstance(estimator, (GCNRegressor, TwoStageRegressor)):
        check_is_fitted(estimator)
    if isinstance(estimator, GCNRegressor):
        return _frozen(CellScorer(estimator))
    if isinstance(estimator, TwoStageRegressor) and isinstance(estimator.regressor_, GCNRegressor):
        if not estimator.passing_fraction_:
            return _frozen(CellScorer(estimator.regressor_))
        if estimator.classifier_ is None:
            return _frozen(CellScorer(estimator.regressor_, least=estimator.threshold_))
        if isinstance(estimator.classifier_, GCNClassifier):
            return _frozen(TwoStageScorer(estimator))
    raise ModelError(
        f"a model of class {type(estimator).__name__} cannot be exported; a GCNRegressor, or a "
        f"TwoStageRegressor of a GCNClassifier and a GCNRegressor, can"
    )


def _frozen(network: nn.Module) -> nn.Module:
    """The network, which has copies of the weights, on the CPU and without gradients."""
    return network.cpu().eval().requires_grad_(False)


def to_program(estimator: Any) -> ExportedProgram:
    """Return a fitted estimator as a ``torch.export`` program, which needs torch alone.

    Raises:
        ModelError: If the estimator cannot be exported.
    """
    network = scorer(estimator)
    sizes = {"cells": torch.export.Dim("cells"), "vertices": torch.export.Dim("vertices", min=2)}
    with quiet_exporter():
        return torch.export.export(
            network,
            tuple(map(torch.from_numpy, example_columns(estimator.space_, 3))),
            dynamic_shapes=tuple(
                {axis: sizes[name] for axis, name in named.items()} for named in AXES
            ),
        )


def export_model(estimator: Any, path: str | os.PathLike[str]) -> None:
    """Write a fitted estimator in the format of the file's ending, checked against the estimator.

    ``.pt2`` is for ``torch.export.load``, ``.onnx`` for ONNX Runtime; its metadata has the search
    space as JSON under ``space``.

    Raises:
        SettingsError: If the ending is another, or a package is missing.
        ModelError: If the estimator cannot be exported, or the file gives other scores.
    """
    ending = check_program_format(path)
    if ending == ONNX:
        check_onnx()
    program = to_program(estimator)
    columns = example_columns(estimator.space_, _CHECKED_CELLS)
    if ending == ONNX:
        properties = {"space": json.dumps(estimator.space_.to_dict())}
        content = onnx_bytes(program, INPUTS, OUTPUT, AXES, properties)
        scores = run_onnx(content, dict(zip(INPUTS, columns, strict=True)))
    else:
        # Through memory, because torch takes no path that is not UTF-8.
        content = pt2_bytes(program)
        loaded = torch.export.load(io.BytesIO(content)).module()
        with torch.no_grad():
            scores = loaded(*map(torch.from_numpy, columns)).numpy()
    _check_scores(estimator, columns, scores)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def example_columns(
    space: SearchSpace, n: int
) -> tuple[NDArray[np.int8], NDArray[np.int8], NDArray[np.int8]]:
    """Return the columns of ``n`` random graphs of a space's operations and sizes.

    They are not drawn from its cells: arithmetic can be compared on any graph.
    """
    rng = np.random.default_rng(0)
    width = max(space.max_vertices, 2)
    counts = rng.integers(1, width + 1, n)
    inside = np.arange(width) < counts[:, None]
    edges = np.triu(rng.random((n, width, width)) < rng.random((n, 1, 1)), 1)
    ids = rng.integers(space.first_id, len(space.operations), (n, width))
    return (
        (edges & inside[:, None, :] & inside[:, :, None]).astype(np.int8),
        (ids * inside).astype(np.int8),
        counts.astype(np.int8),
    )


def _check_scores(
    estimator: Any,
    columns: tuple[NDArray[np.int8], NDArray[np.int8], NDArray[np.int8]],
    scores: NDArray[np.float32],
) -> None:
    regressor = getattr(estimator, "regressor_", estimator)
    expected = estimator.predict(CellArray(*columns, estimator.space_))
    # A cell on the classifier's threshold may fall to either side by rounding.
    difference = float(np.quantile(np.abs(scores - expected), 0.99)) / regressor.std_
    if not difference <= TOLERANCE:
        raise ModelError(
            f"the exported model's scores differ from the model's by {difference:g} standard "
            f"deviations of the labels, more than {TOLERANCE:g}"
        )
