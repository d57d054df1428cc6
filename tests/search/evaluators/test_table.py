"""The table evaluator: label, time, truth and what regret is counted against."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from pyg_nas.data.protocols.labels import LabelPolicy
from pyg_nas.data.tables.sources import open_table
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import SettingsError, TableError
from pyg_nas.graphs.registry import find_space
from pyg_nas.search.constraints import Constraints, restrict
from pyg_nas.search.evaluators.table import TableEvaluator
from pyg_nas.search.loop import search
from pyg_nas.search.methods.strategies import RandomSearch, Ranking
from tests.search.conftest import made_up_table


def test_figures_come_from_the_tables_array(whole_table: Table) -> None:
    evaluator = TableEvaluator(whole_table, LabelPolicy(budget=4, run=1))
    rows = [3, 77, 12]
    outcomes = [evaluator.evaluate(whole_table.cells[row]) for row in rows]
    for row, outcome in zip(rows, outcomes, strict=True):
        assert outcome.accuracy == whole_table.metrics[row, 0, 1, 1, 2]
        assert outcome.seconds == whole_table.metrics[row, 0, 1, 1, 0]
        mean = whole_table.metrics[row, 0, :, 1, 3].astype(float).mean()
        assert outcome.test_accuracy == pytest.approx(mean, abs=1e-12)
        assert outcome.true_accuracy == outcome.test_accuracy
    best = whole_table.metrics[:, 0, :, 1, 3].astype(float).mean(axis=1)
    assert evaluator.reference is not None
    assert evaluator.reference.kind == "mean test accuracy"
    assert evaluator.reference.best == pytest.approx(best.max(), abs=1e-12)
    assert evaluator.reference.hash == whole_table.hashes[best.argmax()].decode()


def test_mean_label_is_charged_for_all_runs(whole_table: Table) -> None:
    evaluator = TableEvaluator(whole_table, LabelPolicy(run="mean"))
    outcome = evaluator.evaluate(whole_table.cells[9])
    assert outcome.seconds == pytest.approx(whole_table.metrics[9, 1, :, 1, 0].sum())


@pytest.mark.parametrize("run", [1, "mean"])
def test_a_halfway_label_is_charged_for_half_of_the_training(
    whole_table: Table, run: int | Literal["mean"]
) -> None:
    metrics = whole_table.metrics.copy()
    metrics[:, :, :, 0, 0] = [3.0, 4.0, 5.0]
    table = Table(whole_table.cells, metrics, whole_table.budgets)
    evaluator = TableEvaluator(table, LabelPolicy(run=run, halfway=True))
    outcome = evaluator.evaluate(table.cells[9])
    assert outcome.seconds == (12.0 if run == "mean" else 4.0)


def test_regret_falls_back_to_validation_and_names_it(whole_table: Table) -> None:
    table = made_up_table(whole_table.cells, tests=False)
    evaluator = TableEvaluator(table)
    assert evaluator.reference is not None
    assert evaluator.reference.kind == "validation accuracy"
    best = table.metrics[:, 1, :, 1, 2].astype(float).mean(axis=1).max()
    assert evaluator.reference.best == pytest.approx(best, abs=1e-12)
    assert evaluator.evaluate(table.cells[0]).test_accuracy is None


def test_one_missing_test_accuracy_is_enough_to_fall_back(whole_table: Table) -> None:
    metrics = whole_table.metrics.copy()
    metrics[0, 1, :, 1, 3] = np.nan
    evaluator = TableEvaluator(Table(whole_table.cells, metrics, whole_table.budgets))
    assert evaluator.reference is not None
    assert evaluator.reference.kind == "validation accuracy"


def test_of_isomorphic_copies_the_first_counts(tmp_path: Path) -> None:
    ops = {"one": ["a", "b", "c", "d"], "two": ["a", "c", "b", "d"]}
    edges = {"one": [[0, 1], [0, 2], [1, 3]], "two": [[0, 2], [0, 1], [2, 3]]}
    records = [("one", 0.5), ("two", 0.9)]
    lines = [json.dumps({"ops": ops[n], "edges": edges[n], "y": y}) for n, y in records]
    lines.append(json.dumps({"ops": ["a", "d"], "edges": [[0, 1]], "y": 0.7}))
    (tmp_path / "graphs.jsonl").write_text("\n".join(lines) + "\n")
    evaluator = TableEvaluator(open_table(tmp_path / "graphs.jsonl"))
    assert len(evaluator.domain) == 2
    for method in (RandomSearch(2), Ranking(evaluator.oracle(), 2)):
        accuracies = search(method, evaluator, 2, seed=0).history.accuracies.tolist()
        assert sorted(accuracies) == pytest.approx([0.5, 0.7])


def test_of_drawings_the_one_that_the_answer_names_counts() -> None:
    slow = "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"  # no input
    plain = "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
    other = "|none~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|nor_conv_3x3~2|"
    texts = (slow, plain, other)
    cells = find_space("nasbench201").support.cells_of_texts(texts)
    metrics = np.full((3, 1, 1, 2, 4), np.nan, dtype=np.float32)

    def table(*latencies: float) -> Table:
        return Table(cells, metrics, [200], targets={"latency_ms": latencies}, texts=texts)

    label = LabelPolicy("latency_ms")
    evaluator = TableEvaluator(table(9, 1, 3), label)
    answer = search(RandomSearch(2), evaluator, 2, seed=0).answer
    assert answer is not None
    assert answer.outcome.accuracy == 1
    assert answer.cell.to_text() == plain
    assert evaluator.reference is not None
    assert evaluator.reference.best == 1
    assert table(9, 1, 3).index_of(answer.cell) == 1
    # Without the label of that drawing the first other one counts.
    evaluator = TableEvaluator(table(9, np.nan, 3), label)
    assert evaluator.evaluate(answer.cell).accuracy == 9
    assert evaluator.evaluate(cells[2]).accuracy == 3


def test_cells_without_a_label_are_outside(whole_table: Table) -> None:
    metrics = whole_table.metrics.copy()
    metrics[:200, 1, 0] = np.nan
    evaluator = TableEvaluator(Table(whole_table.cells, metrics, whole_table.budgets))
    assert len(evaluator.domain) == len(whole_table) - 200
    assert whole_table.cells[0] not in evaluator.domain
    with pytest.raises(TableError, match="has the label validation accuracy"):
        TableEvaluator(Table(whole_table.cells, np.full_like(metrics, np.nan), whole_table.budgets))


def test_parameters_are_the_tables_column(small_table: Table) -> None:
    evaluator = TableEvaluator(small_table)
    part = small_table.cells[[5, 2]]
    found = evaluator.parameters(part)
    assert found is not None
    assert found.tolist() == part.trainable_parameters().tolist()


def test_parameters_of_a_graph_file_are_not_known(tmp_path: Path, small_table: Table) -> None:
    """Its labels are of any networks of these cells: what is not known cannot be limited."""
    records = [
        {"ops": cell.operations, "edges": cell.edges, "y": 0.9 + 0.001 * row}
        for row, cell in enumerate(small_table.cells[:5])
    ]
    (tmp_path / "cells.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
    evaluator = TableEvaluator(open_table(tmp_path / "cells.jsonl"))
    assert evaluator.parameters(evaluator.domain.cells) is None
    assert evaluator.macs(evaluator.domain.cells) is None
    with pytest.raises(SettingsError, match="parameters cannot be limited: they are not known"):
        restrict(evaluator, Constraints(max_parameters=10**7))
    history = search(RandomSearch(2), evaluator, 2, seed=0).history
    assert [query.parameters for query in history] == [None, None]


def test_a_search_is_charged_the_time_of_the_run_that_it_sees(whole_table: Table) -> None:
    metrics = whole_table.metrics.copy()
    metrics[..., 0] = np.random.default_rng(0).uniform(10, 20, metrics.shape[:-1])
    table = Table(whole_table.cells, metrics, whole_table.budgets)
    for budget, run in ((4, 1), (8, 2)):
        evaluator = TableEvaluator(table, LabelPolicy(budget=budget, run=run))
        outcome = evaluator.evaluate(table.cells[9])
        assert outcome.seconds == metrics[9, table.budgets.index(budget), run, 1, 0]


def test_a_description_distinguishes_labels_and_policies(whole_table: Table) -> None:
    """Only under equal ones a search is resumed."""
    described = TableEvaluator(whole_table).describe()
    assert described == TableEvaluator(whole_table).describe()
    assert described["label"] == whole_table.default_label.to_dict()
    metrics = whole_table.metrics.copy()
    metrics[5, 1, 0, 1, 2] += np.float32(0.01)
    changed = Table(whole_table.cells, metrics, whole_table.budgets)
    assert TableEvaluator(changed).describe() != described
    assert TableEvaluator(whole_table, LabelPolicy(run=1)).describe() != described
