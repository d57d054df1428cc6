"""The strategies that the command line names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pyg_nas.data.tables.sources import open_table
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import SpaceError
from pyg_nas.search.constraints import Constraints
from pyg_nas.search.evaluators.table import TableEvaluator
from pyg_nas.search.loop import search
from pyg_nas.search.methods.by_name import make_strategy
from pyg_nas.search.methods.strategies import (
    PredictorSearch,
)
from tests.search.samples import hashes


def test_a_method_has_every_setting(small_table: Table) -> None:
    evaluator = TableEvaluator(small_table)
    strategy = make_strategy(
        "predictor", evaluator, n=20, k=3, recipe="fast", acquisition="ucb",
        constraints=Constraints(max_seconds=150.0), label=small_table.default_label, device="cpu",
    )  # fmt: skip
    assert isinstance(strategy, PredictorSearch)
    assert strategy.describe() == {
        "method": "predictor",
        "predictor": "recipe fast",
        "n": 20,
        "k": 3,
        "acquisition": "ucb",
        "max_seconds": 150.0,
    }
    predictor = strategy.make_predictor(20, 9)
    assert (predictor.random_state, predictor.device, predictor.transfer) == (9, "cpu", True)
    paper = make_strategy(
        "predictor", evaluator, n=20, k=3, recipe="paper", label=small_table.default_label
    )
    assert paper.make_predictor(20, 0).target_mean == 0.908192  # type: ignore[attr-defined]


def test_the_oracle_stays_within_a_limit_that_a_cell_just_meets(small_table: Table) -> None:
    evaluator = TableEvaluator(small_table)
    constraints = Constraints(max_parameters=int(np.sort(small_table.trainable_parameters)[100]))
    strategy = make_strategy("oracle", evaluator, n=1, k=5, recipe="fast", constraints=constraints)
    result = search(strategy, evaluator, 200, constraints=constraints)
    allowed = small_table.trainable_parameters <= constraints.max_parameters
    means = small_table.metrics[:, 3, :2, 1, 2].astype(float).mean(axis=1)
    rows = np.flatnonzero(allowed)
    expected = [small_table.hashes[row].decode() for row in rows[np.argsort(-means[rows])]]
    assert hashes(result) == expected


@pytest.mark.parametrize("method", ["evolution", "local"])
def test_graphs_without_terminals_are_not_moved(method: str, tmp_path: Path) -> None:
    graph = '{{"ops": ["a", "b"], "edges": [[0, 1]], "y": {}}}\n'
    (tmp_path / "g.jsonl").write_text("".join(graph.format(row) for row in range(3)))
    evaluator = TableEvaluator(open_table(tmp_path / "g.jsonl"))
    with pytest.raises(SpaceError, match="cannot be mutated"):
        make_strategy(method, evaluator, n=1, k=1, recipe="fast")
