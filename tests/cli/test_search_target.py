"""The table or task of a search: its options, and its evaluator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pyg_nas.cli.search_target import SearchTarget
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import SettingsError
from pyg_nas.graphs.search_space import SearchSpace

DEFAULTS: dict[str, Any] = {
    "budget": None, "run": None, "space": None, "settings": None, "image_size": None,
    "metric": None, "split_seed": 0, "runs": 1, "backend": "sequential", "workers": 1,
}  # fmt: skip


def target(name: object, **options: Any) -> SearchTarget:
    return SearchTarget(str(name), **{**DEFAULTS, **options})


def refusal(searched: SearchTarget, method: str = "random", seeds: int = 1) -> str:
    with pytest.raises(SettingsError) as refused:
        searched.check(method, seeds, None, False)
    return str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("image_size", 4),
        ("settings", Path("small.json")),
        ("split_seed", 1),
        ("runs", 2),
        ("backend", "loky"),
        ("workers", 2),
    ],
)
def test_only_a_task_is_prepared(table_path: Path, name: str, value: object) -> None:
    target(table_path).check("oracle", 3, "5ms", True)
    message = f"--{name.replace('_', '-')} is for tasks, got the table {table_path}"
    assert refusal(target(table_path, **{name: value})) == message


def test_only_a_table_has_runs_that_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    target("digits", image_size=4, workers=2).check("random", 1, "5ms", True)
    assert refusal(target("digits", run="1")) == "--run is for tables, got the task digits"
    assert refusal(target("digits"), seeds=2) == "--seeds is for tables, got the task digits"
    assert "method 'oracle' needs a table" in refusal(target("digits"), "oracle")
    plain = SearchSpace("plain", ("a", "b"), max_vertices=3, max_edges=3)
    monkeypatch.setattr("pyg_nas.cli.search_target.chosen_space", lambda name: plain)
    assert "cells of the space 'plain' have no network" in refusal(target("digits", space="plain"))


def test_a_table_has_the_label_of_the_options(
    table_path: Path, small_table: Table, tmp_path: Path
) -> None:
    with target(table_path, budget=4, run="1").opened(tmp_path, "cpu") as (evaluator, label):
        assert (label.budget, label.run) == (4, 1)
        outcome = evaluator.evaluate(small_table.cells[3])
    row = small_table.budgets.index(4)
    assert outcome.accuracy == small_table.metrics[3, row, 1, 1, 2]
    assert not list(tmp_path.iterdir())
