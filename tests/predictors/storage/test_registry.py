"""Users' own estimators: registered, stored, and named as module:Class."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from pydantic import FiniteFloat

from pyg_nas.errors import ModelError, SettingsError
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.predictors.base import CellRegressor
from pyg_nas.predictors.parameter_rules import real
from pyg_nas.predictors.recipes import make_estimator
from pyg_nas.predictors.storage import registry
from pyg_nas.predictors.storage.folder import check_storable, load_model, save_model
from pyg_nas.predictors.storage.registry import class_named, register_estimator
from pyg_nas.predictors.storage.state import Array, FittedState
from pyg_nas.predictors.validation import Cells, weighted_cells

CELLS = sample_cells(30, seed=0)
Y = CELLS.num_edges / 10


class EdgeLine(CellRegressor):
    """A line in the number of edges."""

    parameter_rules: ClassVar = {"ridge": real(least=0)}
    fitted_state: ClassVar = FittedState(
        arrays={"line": Array("float64", (2,))}, values={"mean": FiniteFloat}
    )

    def __init__(self, ridge: float = 0.0) -> None:
        self.ridge = ridge

    def fit(self, X: Cells, y: np.ndarray) -> EdgeLine:
        cells, labels, _ = weighted_cells(X, y)
        self.mean_ = float(labels.mean())
        self.line_ = np.polyfit(cells.num_edges, labels, 1)
        return self

    def predict(self, X: Cells) -> np.ndarray:
        cells, _, _ = weighted_cells(X, np.zeros(len(X)))
        return np.polyval(self.line_, cells.num_edges)


@pytest.fixture
def unregistered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registered", {})


@pytest.mark.usefixtures("unregistered")
def test_a_registered_class_is_stored_and_read(tmp_path: Path) -> None:
    fitted = EdgeLine().fit(CELLS, Y)
    with pytest.raises(ModelError, match=r"class EdgeLine is not registered.*register_estimator"):
        check_storable(fitted)
    assert register_estimator(EdgeLine) is EdgeLine
    save_model(fitted, tmp_path / "m")
    loaded = load_model(tmp_path / "m")
    assert isinstance(loaded, EdgeLine)
    np.testing.assert_array_equal(loaded.predict(CELLS), fitted.predict(CELLS))
    registry._registered.clear()
    with pytest.raises(ModelError, match=r"'EdgeLine' must be one of .* import the module that"):
        load_model(tmp_path / "m")


@pytest.mark.usefixtures("unregistered")
def test_a_declared_attribute_that_fit_does_not_set_is_named(tmp_path: Path) -> None:
    class Misnamed(EdgeLine):
        fitted_state = FittedState(arrays={"slope": Array("float64", (2,))})

    register_estimator(Misnamed)
    with pytest.raises(
        ModelError, match="Misnamed cannot be stored: no attribute slope_, which its"
    ):
        save_model(Misnamed().fit(CELLS, Y), tmp_path / "m")
    assert not (tmp_path / "m").exists()


@pytest.mark.usefixtures("unregistered")
def test_an_entry_point_registers_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("EdgeLine", f"{__name__}:EdgeLine", registry.ENTRY_POINTS)
    monkeypatch.setattr(registry, "entry_points", lambda group: EntryPoints([point]))
    save_model(EdgeLine().fit(CELLS, Y), tmp_path / "m")
    assert isinstance(load_model(tmp_path / "m"), EdgeLine)


@pytest.mark.usefixtures("unregistered")
def test_a_name_belongs_to_one_class() -> None:
    register_estimator(EdgeLine)
    register_estimator(EdgeLine)  # again, as when a notebook cell runs twice
    other = type("EdgeLine", (CellRegressor,), {"__module__": "other"})
    built_in = type("GCNRegressor", (CellRegressor,), {})
    for taken in (other, built_in):
        with pytest.raises(ModelError, match="registered already"):
            register_estimator(taken)
    unstated = type("Unstated", (CellRegressor,), {"fitted_state": None})
    for incomplete in (int, unstated):
        with pytest.raises(ModelError, match="needs get_params, and a FittedState as fitted_state"):
            register_estimator(incomplete)


FILE = """
from pyg_nas.predictors.baselines import ParameterCountRegressor

class Mine(ParameterCountRegressor):
    def __init__(self, random_state=3):
        self.random_state = random_state

def broken(argument):
    pass
"""


def test_a_recipe_may_be_a_class_of_a_file_or_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "users_predictor.py"
    path.write_text(FILE)
    found = make_estimator(f"{path}:Mine", seed=7)
    assert (type(found).__name__, found.random_state) == ("Mine", 7)
    assert type(make_estimator(f"{path}:Mine")) is type(found)
    monkeypatch.syspath_prepend(tmp_path)
    assert type(make_estimator("users_predictor:Mine")) is type(found)
    for wrong, message in (
        (f"{path}:broken", "cannot be made without arguments"),
        (f"{path}:Other", "cannot be imported"),
        (f"{tmp_path}/none.py:Mine", "cannot be imported"),
        ("no_such_module:Mine", "cannot be imported"),
        ("builtins:dict", "needs fit, predict, get_params"),
        ("other", "must be one of best, fast, .*module:Class"),
    ):
        with pytest.raises(SettingsError, match=message):
            make_estimator(wrong)
    del sys.modules["users_predictor"]


def test_a_file_does_not_replace_a_module(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text(FILE)
    with pytest.raises(SettingsError, match="rename the file"):
        class_named(f"{tmp_path / 'json.py'}:Mine")
