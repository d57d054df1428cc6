"""Regret of several searches, against values computed by hand."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from pyg_nas.data.tables.table import Table
from pyg_nas.errors import SettingsError
from pyg_nas.search.comparison import RegretCurve, compare_searches, write_search_comparison
from pyg_nas.search.goal import Goal
from pyg_nas.search.search_folder.stored import StoredSearch
from tests.cli.command import pyg_nas
from tests.conftest import undrawn


@pytest.fixture(scope="module")
def folders(whole_table: Table, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("searches")
    whole_table.save(root / "table.hdf5")
    made = []
    for method in ("random", "local"):
        for seed in range(3):
            made.append(root / f"{method}-{seed}")
            arguments = ("search", root / "table.hdf5", "--method", method, "--seed", seed)
            sizes = ("--n", 8, "--k", 4, "--rounds", 1)
            with undrawn():
                assert pyg_nas(*arguments, *sizes, "--out", made[-1]) == 0
    return made


def regrets_of(folders: list[Path]) -> list[np.ndarray]:
    found = []
    for folder in folders:
        stored = StoredSearch.read(folder)
        assert stored.finished
        found.append(np.asarray(stored.result.regret))
    return found


def test_curves_are_quartiles_over_seeds(folders: list[Path], tmp_path: Path) -> None:
    random, local = compare_searches(folders)
    assert (random.name, random.searches, local.name) == ("random", 3, "local")
    first, middle, last = np.sort(regrets_of(folders[:3]), axis=0)
    assert random.x.tolist() == list(range(1, 13))
    # Of three values the quartiles lie halfway between neighbours.
    np.testing.assert_allclose(
        random.quartiles, [(first + middle) / 2, middle, (middle + last) / 2]
    )
    names = write_search_comparison(tmp_path, [random, local], "runs")
    assert all((tmp_path / name).stat().st_size > 100 for name in names)
    lines = (tmp_path / "searches.csv").read_text().splitlines()
    assert lines[0] == "method,searches,trained_cells,q25,median,q75"
    assert len(lines) == 25
    assert "after" not in (tmp_path / "searches.tex").read_text()


def test_methods_of_different_length_are_also_compared_at_equal_cost(tmp_path: Path) -> None:
    falling = np.array([[0.01, 0.004, 0.002], [0.02, 0.01, 0.004], [0.03, 0.02, 0.01]])
    several = RegretCurve(
        "random", np.arange(1.0, 4.0), falling, 3, 5.0, True, "cell", Goal(), "test accuracy"
    )
    middle = falling[[1, 1, 1], :2]
    one = RegretCurve(
        "local", np.arange(1.0, 3.0), middle, 1, 2.0, True, "cell", Goal(), "test accuracy"
    )
    with undrawn():
        write_search_comparison(tmp_path, [several, one], "runs")
    text = (tmp_path / "searches.tex").read_text()
    assert "method & searches & trained cells & regret & after 2 trained cells" in text
    assert "random & 3 & 3 & 0.400 [0.200, 1.000] & 1.000 [0.400, 2.000]" in text
    assert "local & 1 & 2 & 1.000 & 1.000" in text
    assert "Regret is how far the test accuracy of the answer stays below that of the best" in text


def test_searches_of_one_method_are_named_by_their_differences(
    folders: list[Path], tmp_path: Path
) -> None:
    copies = []
    for recipe, n in (("recipe fast", 16), ("recipe best", 4)):
        copies.append(tmp_path / recipe)
        shutil.copytree(folders[0], copies[-1])
        path = copies[-1] / "settings.json"
        strategy = {"method": "predictor", "predictor": recipe, "n": n, "k": 4}
        changed = {"method": "predictor", "strategy_settings": strategy}
        path.write_text(json.dumps(json.loads(path.read_text()) | changed))
    names = ["predictor (recipe fast, start 16)", "predictor (recipe best, start 4)"]
    assert [curve.name for curve in compare_searches(copies)] == names
    assert [curve.name for curve in compare_searches(copies[:1])] == ["predictor"]


def test_curves_by_time(folders: list[Path], tmp_path: Path) -> None:
    curve = compare_searches(folders[:1], "time")[0]
    (regret,) = regrets_of(folders[:1])
    assert curve.quartiles[1, 0] == regret[0]
    assert curve.quartiles[1, -1] == regret[-1]
    write_search_comparison(tmp_path, [curve], "time")


def test_what_cannot_be_compared_is_refused(folders: list[Path], tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folders[0], copy)
    with pytest.raises(SettingsError, match=r"copy: the same search as .*random-0"):
        compare_searches([folders[0], copy])
    settings = json.loads((copy / "settings.json").read_text())
    settings["evaluator"]["label"]["run"] = "mean"
    (copy / "settings.json").write_text(json.dumps(settings))
    with pytest.raises(
        SettingsError, match=r"copy: has label run = 'mean', .*random-0 has 0; compare"
    ):
        compare_searches([folders[0], copy])
    (copy / "answer.json").unlink()
    with pytest.raises(SettingsError, match="copy: its regret is not known"):
        compare_searches([copy])
    with pytest.raises(SettingsError, match="by 'x' must be one of runs, time"):
        compare_searches(folders, "x")


def test_the_command(folders: list[Path], tmp_path: Path) -> None:
    assert pyg_nas("compare-searches", *folders, "--out", tmp_path / "out") == 0
    assert (tmp_path / "out" / "searches.pdf").read_bytes().startswith(b"%PDF")
    # A pattern that the shell has left as it is.
    with undrawn():
        assert pyg_nas("compare-searches", folders[0].parent / "*", "--out", tmp_path / "same") == 0
    first, second = (
        (tmp_path / name / "searches.csv").read_text().splitlines() for name in ("out", "same")
    )
    assert sorted(first) == sorted(second)
    assert pyg_nas("compare-searches", tmp_path / "no*", "--out", tmp_path / "none") == 2
