"""What evaluate and plot compare, by both commands."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from pyg_nas.data.tables.table import Table
from pyg_nas.predictors.storage import registry
from tests.cli.command import pyg_nas


def test_scores_from_elsewhere_are_compared_as_those_of_a_model(
    seeded: Path,
    table_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By what ``predict`` writes: the figures are those of the model itself."""
    scores, own, other = tmp_path / "s.csv", tmp_path / "own.json", tmp_path / "other.json"
    assert pyg_nas("predict", seeded, table_path, "--out", scores) == 0
    assert pyg_nas("evaluate", seeded, table_path, "--json", own) == 0
    evaluate = ("evaluate", table_path, "--scores", scores)
    settings = ("--train", 60, "--split-seed", 3, "--run", 1)
    assert pyg_nas(*evaluate, *settings, "--json", other) == 0
    reports = [json.loads(path.read_text()) for path in (own, other)]
    for name in ("mse", "kendall_tau", "n", "left_out"):
        # Scores have 9 digits, and predictions of other batches differ by rounding.
        assert reports[1][name] == pytest.approx(reports[0][name], abs=1e-3), name
    assert reports[1]["protocol"] == reports[0]["protocol"]
    assert reports[1]["scores"] == "s.csv"
    assert (
        pyg_nas("plot", table_path, "--scores", scores, *settings, "--out", tmp_path / "s.svg") == 0
    )
    # Half of the scores, which no cell of the table trained.
    scores.write_text("\n".join(scores.read_text().splitlines()[:151]) + "\n")
    assert pyg_nas(*evaluate, "--train", "none", "--json", other) == 0
    report = json.loads(other.read_text())
    assert (report["n"], report["left_out"], report["without_score"]) == (150, 0, 150)
    capsys.readouterr()
    assert pyg_nas(*evaluate) != 0
    assert "--scores needs --train" in capsys.readouterr().err
    assert pyg_nas("evaluate", seeded) != 0
    assert "Missing argument 'TABLE'" in capsys.readouterr().err


OWN = """
import numpy as np
from sklearn.base import BaseEstimator

from pyg_nas.predictors import Array, FittedState, register_estimator


@register_estimator
class {name}(BaseEstimator):
    fitted_state = FittedState(arrays={{"line": Array("float64", (2,))}})

    def fit(self, cells, y):
        self.line_ = np.polyfit(cells.num_edges, y, 1)
        return self

    def predict(self, cells):
        return np.polyval(self.line_, cells.num_edges)
"""


def test_a_model_of_ones_own_predictor_is_read_with_its_class(
    table_path: Path,
    small_table: Table,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every command on a model, in a process that has not imported the class before."""
    code, model = tmp_path / "own_edges.py", tmp_path / "model"
    code.write_text(OWN.format(name="OwnEdges"))
    recipe = ("--recipe", f"{code}:OwnEdges")
    assert pyg_nas("train", table_path, "--split", 60, "--out", model, *recipe) == 0
    commands = {
        "evaluate": (table_path,),
        "plot": (table_path, "--out", tmp_path / "p.svg"),
        "predict": (table_path, "--out", tmp_path / "s.csv"),
        "report": (table_path, "--no-learning-curve", "--out", tmp_path / "r.html"),
    }
    for name, arguments in commands.items():
        monkeypatch.setattr(registry, "_registered", {})
        monkeypatch.delitem(sys.modules, "own_edges")
        capsys.readouterr()
        assert pyg_nas(name, model, *arguments) == 2
        assert "(a command does with --recipe file.py:Class)" in capsys.readouterr().err
        assert pyg_nas(name, model, *arguments, *recipe) == 0, name
    assert len((tmp_path / "s.csv").read_text().splitlines()) == 1 + len(small_table.cells)
    lines = tmp_path / "g.jsonl"
    lines.write_text(json.dumps(small_table.cells[0].to_dict()) + "\n")
    assert pyg_nas("predict", model, *recipe, "--space", lines, "--out", tmp_path / "t.csv") == 2
    assert "g.jsonl: cannot be read without its space" in capsys.readouterr().err
    top = ("--space", "nasbench101", "--top", 3, "--out", tmp_path / "t.csv")
    assert pyg_nas("predict", model, *recipe, *top) == 0
    assert len((tmp_path / "t.csv").read_text().splitlines()) == 4
    assert pyg_nas("evaluate", model, table_path, "--recipe", "best") == 2
    assert "--recipe 'best' must be module:Class" in capsys.readouterr().err


def test_options_of_scores_are_refused_for_a_model(
    model_path: Path, table_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pyg_nas("evaluate", model_path, table_path, "--train", "60") == 2
    assert "--train is used with --scores alone" in capsys.readouterr().err
