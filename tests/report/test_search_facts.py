from __future__ import annotations

import numpy as np
import pytest

from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.enumeration import enumerate_cells, sample_cells
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.metrics.intervals import mean_interval
from pyg_nas.report.search_facts import SearchFacts
from pyg_nas.search.constraints import Constraints
from pyg_nas.search.evaluators.table import TableEvaluator
from pyg_nas.search.goal import Goal
from pyg_nas.search.history import History, Proposal, Query
from pyg_nas.search.loop import search
from pyg_nas.search.methods.strategies import RandomSearch
from pyg_nas.search.outcome import Outcome, Rung
from pyg_nas.search.result import SearchResult
from pyg_nas.visualization.charts import Line
from tests.search.conftest import SMALL, made_up_table


def _result(
    outcomes: list[Outcome], constraints: Constraints | None = None, score: str = "accuracy"
) -> SearchResult:
    history = History(Goal.of_task(score))
    for cell, outcome in zip(sample_cells(len(outcomes), seed=0), outcomes, strict=True):
        history.append(Query(Proposal(cell), outcome))
    return SearchResult(history, constraints or Constraints(), None)


def test_curves_are_in_percent_points_and_minutes() -> None:
    table = made_up_table(enumerate_cells(SMALL))
    result = search(RandomSearch(), TableEvaluator(table), 20)
    by_cells, by_time, regret = SearchFacts(result).search_charts()
    accuracies = np.array([query.outcome.accuracy for query in result.history])
    line = by_cells.marks[1]
    assert isinstance(line, Line)
    np.testing.assert_allclose(line.y, 100 * np.maximum.accumulate(accuracies))
    seconds = [query.outcome.seconds for query in result.history]
    time = by_time.marks[1]
    assert isinstance(time, Line)
    np.testing.assert_allclose(time.x, np.cumsum(np.array(seconds, float)) / 60)
    assert result.regret is not None
    distance = regret.marks[0]
    assert isinstance(distance, Line)
    np.testing.assert_allclose(distance.y, 100 * result.regret)


def test_equal_costs_have_no_chart() -> None:
    outcomes = [Outcome(0.8, 1.0), Outcome(0.9, 1.0), Outcome(0.85, 1.0)]
    assert not SearchFacts(_result(outcomes)).pareto_charts()
    outcomes[0] = Outcome(0.8, 2.0)
    assert list(SearchFacts(_result(outcomes)).pareto_charts()) == ["seconds"]


def test_failed_cells_are_counted_with_their_reasons() -> None:
    history = History()
    cells = sample_cells(7, seed=0)
    for cell in cells:
        history.expect(Proposal(cell))
    history.append(Query(Proposal(cells[0]), Outcome(0.5)))
    reasons = ["out of  memory", "", "out of\nmemory", "a", "b" * 300]
    for cell, reason in zip(cells[1:], reasons, strict=False):
        history.fail(cell.hash, reason)
    facts = SearchFacts(SearchResult(history, Constraints(), None))
    (failed,) = (fact for fact in facts.cost() if fact.name == "training failed")
    assert failed.value == "5 cells"
    assert failed.note == "out of memory (2); no reason given (1); a (1); others"
    history.append(Query(Proposal(cells[1]), Outcome(0.6)))  # it did not fail after all
    assert {fact.name: fact.value for fact in facts.cost()}["training failed"] == "4 cells"


def test_what_is_not_known_is_stated() -> None:
    result = _result([Outcome(0.5), Outcome(0.6), Outcome(0.55, seconds=10.0)])
    facts = SearchFacts(result, runs_note="mean of 3 runs")
    answer = {fact.name: fact for fact in facts.answer()}
    assert answer["validation accuracy"].value == "60.00 %"
    assert answer["validation accuracy"].note == "mean of 3 runs"
    assert answer["test accuracy"].value == "not measured"
    assert answer["simple regret"].value == "not known"
    cost = {fact.name: fact for fact in facts.cost()}
    assert cost["training time"].value == "10.0 s"
    assert "2 cells whose time is not known" in cost["training time"].note
    # One cell has a time: a front of one point says nothing.
    assert [chart.title for chart in facts.charts()] == [
        "Accuracy by trained cells",
        "Accuracy by training time",
    ]


def test_the_interval_is_that_of_the_runs() -> None:
    runs = [0.60, 0.62, 0.61]
    (accuracy, *_) = SearchFacts(_result([Outcome(0.6)]), runs).answer()
    expected = mean_interval(runs)
    assert f"{100 * expected.low:.2f} to {100 * expected.high:.2f} %" in accuracy.note
    assert "3 runs" in accuracy.note


@pytest.mark.parametrize("vertices", [5, 40])
def test_the_answer_has_its_text_form_unless_it_is_long(vertices: int) -> None:
    space = SearchSpace("chains", ("op",), vertices, vertices, ("output", "input"))
    edges = [(vertex, vertex + 1) for vertex in range(vertices - 1)]
    cell = Cell.from_edges(edges, ["input", *["op"] * (vertices - 2), "output"], space)
    history = History()
    history.append(Query(Proposal(cell), Outcome(0.5)))
    facts = SearchFacts(SearchResult(history, Constraints(), None)).answer()
    shown = {fact.name: fact.value for fact in facts}
    assert shown["module hash"] == cell.hash
    assert shown.get("text form") == (cell.to_text() if vertices == 5 else None)


def test_no_answer_is_a_result_too() -> None:
    facts = SearchFacts(_result([Outcome(0.6, seconds=5.0)], Constraints(max_seconds=1.0)))
    assert facts.title == "No trained cell satisfies the constraints"
    assert facts.answer() == []


@pytest.mark.parametrize("value", [True, "0.5", None, 1e301, [1.0]])
def test_a_prediction_that_is_no_number_counts_as_none(value: object) -> None:
    history = History()
    history.append(Query(Proposal(sample_cells(1, seed=0)[0], why={"predicted": value}),
                         Outcome(0.5)))  # fmt: skip
    assert np.isnan(SearchFacts(SearchResult(history, Constraints(), None)).predicted).all()


@pytest.mark.parametrize(("score", "shown"), [("R²", "-1.00 or lower"), ("macro_f1", "-1.00")])
def test_a_raised_r2_is_marked(score: str, shown: str) -> None:
    first, second, *_ = SearchFacts(_result([Outcome(-1.0, 3.0, -1.0)], score=score)).answer()
    assert (first.value, second.value) == (shown, shown)


@pytest.mark.parametrize(
    ("score", "shown"),
    [("R²", "0.60"), ("macro_f1", "0.60"), ("balanced accuracy", "60.00 %")],
)
def test_the_score_of_the_task_has_its_name_everywhere(score: str, shown: str) -> None:
    outcomes = [Outcome(0.5, 3.0, 0.5), Outcome(0.6, 5.0, 0.7)]
    facts = SearchFacts(_result(outcomes, score=score))
    first, second, *_ = facts.answer()
    assert (first.name, first.value) == (f"validation {score}", shown)
    assert second.name == f"test {score}"
    names = [chart.y.label for chart in [*facts.search_charts(), *facts.pareto_charts().values()]]
    assert {name.removesuffix(", %") for name in names} == {score}
    assert facts.columns[0].name.startswith(score)


def test_errors_of_predicted_latencies_have_their_number() -> None:
    latency = {"limit": 0.005, "device": "a processor", "predicted": 0.0042, "measured": None}
    latency |= {"measured_cells": 1600, "median_error": 0.125, "error_90": 0.25}
    (fact,) = (
        fact
        for fact in SearchFacts(_result([Outcome(0.6)]), latency=latency).answer()
        if fact.name == "latency, predicted"
    )
    assert fact.value == "4.2 ms"
    assert fact.note == (
        "limit 5 ms; a processor; error of predictions on 1,600 measured networks: "
        "median 12.5 %, 90 % below 25.0 %"
    )


@pytest.mark.parametrize(("seconds", "shown"), [(5.01, "0.0 s"), (7.0, "-2.0 s"), (4.0, "1.0 s")])
def test_saved_time_has_a_sign_only_if_it_is_shown(seconds: float, shown: str) -> None:
    outcome = Outcome(0.5, seconds, rungs=(Rung(1, 0.4, 1.0),), full_seconds=5.0, stopped=True)
    (fact,) = (f for f in SearchFacts(_result([outcome])).cost() if f.name.endswith("saved"))
    assert fact.value == shown
    assert fact.note.startswith("runs at smaller") == (shown[0] == "-")
