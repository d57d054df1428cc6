from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge

from pyg_nas.data.tables.table import Table
from pyg_nas.errors import ModelError, SettingsError
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.predictors.gnn.gcn import GCNClassifier, GCNRegressor
from pyg_nas.predictors.gnn.two_stage import TwoStageRegressor
from pyg_nas.predictors.storage.export import (
    INPUTS,
    TOLERANCE,
    example_columns,
    export_model,
    scorer,
    to_program,
)
from pyg_nas.spaces.nasbench101 import nasbench101_cells

PLAIN = SearchSpace("plain", tuple("abcdef"), max_vertices=9, max_edges=36)


def _fit(estimator: Any, cells: CellArray) -> Any:
    first_operation = ((cells.operations == 0) & cells.mask).sum(axis=1)
    y = 0.5 + 0.05 * first_operation + 0.01 * cells.num_edges
    return estimator.fit(cells, y)


def _small(**settings: Any) -> GCNRegressor:
    return GCNRegressor(**{"hidden": 6, "head": 4, "epochs": 2, "device": "cpu", **settings})


@pytest.fixture(scope="module")
def regressor() -> GCNRegressor:
    return _fit(_small(ensemble_size=2), sample_cells(60, seed=0))


@pytest.fixture(scope="module")
def two_stage() -> TwoStageRegressor:
    classifier = GCNClassifier(hidden=6, head=4, epochs=20, learning_rate=1e-2, device="cpu")
    return _fit(TwoStageRegressor(classifier, _small()), sample_cells(80, seed=1))


@pytest.fixture(scope="module")
def plain() -> GCNRegressor:
    return _fit(_small(depth=2), CellArray(*example_columns(PLAIN, 40), PLAIN))


@pytest.fixture(scope="module")
def program(regressor: GCNRegressor) -> torch.export.ExportedProgram:
    return to_program(regressor)


@pytest.fixture(scope="module")
def onnx_file(regressor: GCNRegressor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package)
    path = tmp_path_factory.mktemp("export") / "model.onnx"
    export_model(regressor, path)
    assert [file.name for file in path.parent.iterdir()] == ["model.onnx"]
    return path


def _run_onnx(path: Path, cells: CellArray) -> np.ndarray[Any, Any]:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    columns = (cells.adjacency, cells.operations, cells.num_vertices)
    (scores,) = session.run(None, dict(zip(INPUTS, columns, strict=True)))
    return np.asarray(scores)


def _run_program(path: Path, cells: CellArray) -> np.ndarray[Any, Any]:
    module = torch.export.load(path).module()
    columns = (cells.adjacency, cells.operations, cells.num_vertices)
    scores = module(*(torch.tensor(column) for column in columns))
    assert not scores.requires_grad
    return np.asarray(scores.numpy())


def test_onnx_runtime_scores_real_cells_alike(
    regressor: GCNRegressor, onnx_file: Path, real_table: Table
) -> None:
    cells = real_table.cells[::10]
    scores = _run_onnx(onnx_file, cells)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(
        scores, regressor.predict(cells), rtol=0, atol=TOLERANCE * regressor.std_
    )


def test_the_onnx_file_names_columns_and_space(regressor: GCNRegressor, onnx_file: Path) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load(onnx_file)
    onnx.checker.check_model(model)
    assert [value.name for value in model.graph.input] == list(INPUTS)
    assert [value.name for value in model.graph.output] == ["score"]
    (space,) = [prop.value for prop in model.metadata_props if prop.key == "space"]
    assert SearchSpace.from_dict(json.loads(space)) == regressor.space_


def test_a_program_needs_torch_alone_and_takes_any_number(
    regressor: GCNRegressor,
    program: torch.export.ExportedProgram,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pyg_nas.predictors.storage.export.to_program", lambda _: program)
    export_model(regressor, tmp_path / "model.pt2")
    for rows in (slice(0, 1), slice(0, 400_000, 1_000)):
        cells = nasbench101_cells()[rows]
        np.testing.assert_allclose(
            _run_program(tmp_path / "model.pt2", cells),
            regressor.predict(cells),
            rtol=0,
            atol=TOLERANCE * regressor.std_,
        )


def test_more_padding_changes_nothing(plain: GCNRegressor, tmp_path: Path) -> None:
    export_model(plain, tmp_path / "model.pt2")
    adjacency, operations, counts = example_columns(PLAIN, 30)
    wider = CellArray(
        np.pad(adjacency, ((0, 0), (0, 3), (0, 3))), np.pad(operations, ((0, 0), (0, 3))), counts,
        SearchSpace("plain", PLAIN.operations, 12, 36),
    )  # fmt: skip
    np.testing.assert_allclose(
        _run_program(tmp_path / "model.pt2", wider),
        plain.predict(CellArray(adjacency, operations, counts, PLAIN)),
        rtol=0,
        atol=TOLERANCE * plain.std_,
    )


def test_a_two_stage_model_that_passes_everything(tmp_path: Path) -> None:
    cells = sample_cells(80, seed=1)
    model = _fit(TwoStageRegressor(GCNClassifier(), _small(), threshold=0.0), cells)
    assert model.classifier_ is None
    # Training cells are all above it, but a prediction may be below.
    model.threshold_ = float(np.median(model.regressor_.predict(cells)))
    export_model(model, tmp_path / "model.pt2")
    scores = _run_program(tmp_path / "model.pt2", cells)
    assert (scores == np.float32(model.threshold_)).sum() >= 40
    np.testing.assert_allclose(scores, model.predict(cells), atol=1e-6)


def test_both_stages_are_in_the_file(two_stage: TwoStageRegressor, tmp_path: Path) -> None:
    cells = sample_cells(1_000, seed=2)
    expected = two_stage.predict(cells)
    passing = two_stage.passes(cells)
    assert 0 < passing.sum() < len(cells)
    export_model(two_stage, tmp_path / "model.pt2")
    scores = _run_program(tmp_path / "model.pt2", cells)
    clear = np.abs(two_stage.pass_probability(cells) - 0.5) > 1e-4
    np.testing.assert_allclose(scores[clear], expected[clear], rtol=0, atol=1e-5)
    threshold = np.float32(two_stage.threshold_)
    assert ((scores >= threshold) == passing)[clear].all()


def test_a_model_that_rejects_nothing_or_everything(two_stage: TwoStageRegressor) -> None:
    cells = sample_cells(20, seed=3)
    columns = [torch.tensor(c) for c in (cells.adjacency, cells.operations, cells.num_vertices)]
    with pytest.warns(UserWarning, match="every cell is rejected"):
        model = _fit(TwoStageRegressor(GCNClassifier(), _small(), threshold=2.0), cells)
    with torch.no_grad():
        np.testing.assert_allclose(scorer(model)(*columns), model.predict(cells), atol=1e-5)


@pytest.mark.parametrize("name", ["model.h5", "model", "model.onnx.txt"])
def test_another_ending_is_refused(regressor: GCNRegressor, tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match=r"must end in \.onnx or \.pt2"):
        export_model(regressor, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_model_that_is_no_graph_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="class Ridge cannot be exported"):
        export_model(Ridge(), tmp_path / "model.pt2")
    with pytest.raises(NotFittedError, match="GCNRegressor instance is not fitted yet"):
        export_model(GCNRegressor(), tmp_path / "model.pt2")
    assert not list(tmp_path.iterdir())


def test_a_missing_package_is_named(
    regressor: GCNRegressor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(SettingsError, match=r"pip install '\.\[export\]' in a clone"):
        export_model(regressor, tmp_path / "model.onnx")


@pytest.mark.parametrize("every", [1, 10])
def test_a_file_that_scores_cells_otherwise_is_not_kept(
    regressor: GCNRegressor,
    program: torch.export.ExportedProgram,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    every: int,
) -> None:
    truth = regressor.predict

    def some_differ(cells: object) -> np.ndarray:
        scores = truth(cells)
        scores[::every] += 0.1
        return scores

    monkeypatch.setattr(regressor, "predict", some_differ)
    monkeypatch.setattr("pyg_nas.predictors.storage.export.to_program", lambda _: program)
    with pytest.raises(ModelError, match="differ from the model's"):
        export_model(regressor, tmp_path / "model.pt2")
    assert not list(tmp_path.iterdir())
