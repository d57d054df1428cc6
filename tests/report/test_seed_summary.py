"""The summary of repeated searches, from regrets written by hand."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pyg_nas.errors import SettingsError
from pyg_nas.report.seed_summary import regret_curves, searches_of_seeds, write_seeds
from pyg_nas.search.goal import Goal


class History(list):
    """A history of as many cells as regrets."""

    accuracies = np.array([0.9])


def search(*regret: float) -> Any:
    reference = SimpleNamespace(kind="the best cell")
    return SimpleNamespace(
        history=History(regret),
        regret=np.array(regret),
        reference=reference,
        thing="cell",
        goal=Goal(),
    )


def test_a_search_that_ended_early_keeps_its_last_regret() -> None:
    curves = regret_curves([search(0.3, 0.2, 0.1), search(np.nan, 0.4)])
    assert np.array_equal(curves, [[0.3, 0.2, 0.1], [np.nan, 0.4, 0.4]], equal_nan=True)


def test_the_files_have_the_quartiles_where_all_searches_have_an_answer(tmp_path: Path) -> None:
    searches = [search(np.nan, 0.04, 0.02), search(0.05, 0.03, 0.01), search(0.02, 0.02, 0.0)]
    sentence = write_seeds(tmp_path, [4, 5, 6], searches)
    content = json.loads((tmp_path / "seeds.json").read_text())
    assert content["seeds"] == [4, 5, 6]
    assert content["trained_cells"] == [2, 3]
    expected = np.quantile([[0.04, 0.02], [0.03, 0.01], [0.02, 0.0]], [0.25, 0.5, 0.75], axis=0)
    assert np.allclose(list(content["regret_quartiles"].values()), expected)
    assert content["final_regret"] == [0.02, 0.01, 0.0]
    assert "1.00 points (quartiles 0.50 to 1.50, 3 seeds)" in sentence
    assert (tmp_path / "regret.svg").exists()


def test_searches_without_an_answer_are_counted(tmp_path: Path) -> None:
    sentence = write_seeds(tmp_path, [0, 1], [search(np.nan), search(0.1)])
    assert sentence == "only 1 of 2 searches found a cell within the constraints"
    assert json.loads((tmp_path / "seeds.json").read_text())["final_regret"] == [None, 0.1]


def test_the_searches_of_a_summary_are_those_that_it_names(tmp_path: Path) -> None:
    write_seeds(tmp_path, [10, 9], [search(0.2), search(0.1)])
    (tmp_path / "seed-11").mkdir()  # of a command with more seeds that was stopped
    assert searches_of_seeds(tmp_path) == [tmp_path / "seed-10", tmp_path / "seed-9"]
    for seeds in ([], None, [1, "../other"], [True]):
        (tmp_path / "seeds.json").write_text(json.dumps({"seeds": seeds}))
        with pytest.raises(SettingsError, match="seeds must be a list of whole numbers"):
            searches_of_seeds(tmp_path)
