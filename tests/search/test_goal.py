"""The goal of a search: costs are minimised, and all that is written of them is right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyg_nas.data.protocols.labels import LabelPolicy
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import SettingsError
from pyg_nas.graphs.registry import find_space
from pyg_nas.report.search_facts import SearchFacts
from pyg_nas.report.search_summary import write_search_summary
from pyg_nas.report.searches import search_page
from pyg_nas.search.constraints import Constraints
from pyg_nas.search.domain import Domain
from pyg_nas.search.early_stopping import EarlyStopping
from pyg_nas.search.evaluators.evaluator import ExternalEvaluator
from pyg_nas.search.evaluators.table import TableEvaluator
from pyg_nas.search.goal import Goal
from pyg_nas.search.loop import search
from pyg_nas.search.methods.strategies import RandomSearch
from pyg_nas.search.result import SearchResult
from pyg_nas.search.search_folder.folder import SearchFolder
from pyg_nas.search.search_folder.settings import SearchSettings
from pyg_nas.search.search_folder.stored import StoredSearch
from tests.conftest import undrawn
from tests.search.predictors import counts
from tests.search.samples import STRATEGIES, hashes


@pytest.fixture(scope="module")
def table(whole_table: Table) -> Table:
    """A table with a latency, and a merit that is larger where the latency is smaller."""
    rng = np.random.default_rng(0)
    structure = counts(whole_table.cells) @ [3.0, 1.0, 0.5, 0.25]
    latency = (5 + structure + rng.normal(0, 0.3, len(whole_table))) / 1024
    targets = {"latency": latency, "merit": -latency}
    about = {"units": {"latency": "s"}}
    return Table(
        whole_table.cells, whole_table.metrics, whole_table.budgets, about=about, targets=targets
    )


def found(table: Table, metric: str, method: str, count: int = 50) -> SearchResult:
    evaluator = TableEvaluator(table, LabelPolicy(metric))
    return search(STRATEGIES[method](evaluator), evaluator, count, seed=3)


@pytest.mark.parametrize("method", list(STRATEGIES))
def test_a_cost_is_minimised_as_its_negative_is_maximised(table: Table, method: str) -> None:
    cost, merit = found(table, "latency", method), found(table, "merit", method)
    assert hashes(cost) == hashes(merit)
    assert cost.answer is not None
    assert cost.regret is not None
    assert merit.regret is not None
    lowest = min(query.outcome.accuracy for query in cost.history)
    assert cost.answer.outcome.accuracy == lowest
    assert np.array_equal(cost.best_accuracy, np.minimum.accumulate(cost.history.accuracies))
    np.testing.assert_allclose(cost.regret, merit.regret, atol=1e-15)
    assert cost.regret[-1] == pytest.approx(lowest - table.targets["latency"].min(), abs=1e-15)


def test_a_stored_search_for_a_cost_reads_the_same(table: Table, tmp_path: Path) -> None:
    evaluator = TableEvaluator(table, LabelPolicy("latency"))
    strategy = RandomSearch()
    settings = SearchSettings.of(strategy, evaluator, Constraints(), 1, "table.hdf5", 20)
    folder = SearchFolder(tmp_path, settings, table.space)
    result = search(strategy, evaluator, 20, seed=1, folder=folder)
    with undrawn():
        write_search_summary(tmp_path, SearchFacts(result), settings)
    stored = StoredSearch.read(tmp_path).result
    assert stored.goal == Goal("latency", "s", larger_is_better=False)
    assert stored.answer == result.answer
    assert stored.regret is not None
    assert result.regret is not None
    assert np.array_equal(stored.regret, result.regret)
    assert result.answer is not None
    assert result.regret[-1] > 0
    seconds = result.answer.outcome.accuracy
    facts = {fact.name: fact.value for fact in SearchFacts(stored).answer()}
    assert facts["latency"] == f"{seconds:.3g} s"
    assert facts["simple regret"] == f"{stored.regret[-1]:.3g} s"
    assert not {name for name in facts if "accuracy" in name}
    page = search_page(tmp_path)
    assert page.answer is not None
    assert page.table is not None
    assert page.answer.title == "The lowest latency of 20 trained cells"
    measured = [value for value, _ in (row[0] for row in page.table.rows)]
    assert measured == sorted(result.history.accuracies.tolist())[:10]
    notes = " ".join(figure.note for figure in page.figures)
    assert "Regret: latency of the best so far minus that of the best cell of the table." in notes
    assert "| cell | latency, s |" in (tmp_path / "report.md").read_text()
    fronts = json.loads((tmp_path / "answer.json").read_text())["pareto"]
    assert fronts["seconds"][-1] == result.answer.cell.hash


def test_training_time_is_no_cost_beside_itself(table: Table) -> None:
    facts = SearchFacts(found(table, "training_time", "random"))
    assert np.isfinite(facts.seconds).all()
    assert not facts.costs
    assert facts.columns[0].name == "training time, s"
    assert np.isnan(facts.columns[-1].values).all()


def test_early_stopping_is_of_accuracies(table: Table) -> None:
    message = "early stopping compares accuracies, the search is for training time"
    with pytest.raises(SettingsError, match=message):
        EarlyStopping.of(TableEvaluator(table, LabelPolicy("training_time")))
    with pytest.raises(SettingsError, match="needs a smaller budget, from a ninth"):
        EarlyStopping.of(TableEvaluator(table, LabelPolicy("merit")))


def test_a_test_accuracy_is_searched_for_by_its_own_name(table: Table) -> None:
    evaluator = TableEvaluator(table, LabelPolicy("test_accuracy"))
    result = search(STRATEGIES["oracle"](evaluator), evaluator, 8)
    assert result.regret is not None
    assert result.regret[0] == 0  # the best mean of runs comes first
    names = [fact.name for fact in SearchFacts(result).answer()]
    assert names[:2] == ["test accuracy", "simple regret"]


def test_a_test_accuracy_is_not_beside_a_target_with_a_similar_name(table: Table) -> None:
    about, targets = table.about, {"validation_loss": table.targets["latency"]}
    named = Table(table.cells, table.metrics, table.budgets, about=about, targets=targets)
    result = found(named, "validation_loss", "random", 5)
    facts = {fact.name: fact.value for fact in SearchFacts(result).answer()}
    assert facts["test loss"] == "not measured"


@pytest.mark.parametrize("metric", ["test_accuracy", "latency", "merit"])
def test_folders_without_the_words_of_their_label_are_resumed(
    table: Table, metric: str, tmp_path: Path
) -> None:
    evaluator = TableEvaluator(table, LabelPolicy(metric))
    new = SearchSettings.of(RandomSearch(), evaluator, Constraints(), 0, "t.hdf5", 9)
    old = json.loads(json.dumps(new.content))
    for key in ("score", "unit", "larger_is_better"):
        old["evaluator"].pop(key, None)
    stored = SearchSettings(old, tmp_path)
    if metric == "latency":  # which they maximised
        with pytest.raises(SettingsError, match="larger_is_better = None, False was requested"):
            new.check_resumes(stored)
        return
    new.check_resumes(stored)
    # Earlier versions did not separate the unit from the name.
    old["evaluator"]["score"] = "latency ms"
    renamed = SearchSettings(old, tmp_path)
    new.check_resumes(renamed)
    assert renamed.subject == new.subject
    other = TableEvaluator(table, LabelPolicy("validation_accuracy"))
    with pytest.raises(SettingsError, match="contains a search with label "):
        SearchSettings.of(RandomSearch(), other, Constraints(), 0, "t.hdf5", 9).check_resumes(
            stored
        )


@pytest.mark.parametrize(
    "goal", [Goal("latency", "ms", larger_is_better=False), Goal(larger_is_better=False), Goal()]
)
def test_the_goal_of_a_users_own_evaluator_is_stored(goal: Goal) -> None:
    class Own(ExternalEvaluator):
        def describe(self) -> dict[str, Any]:
            return {"evaluator": "mine"}

    own = Own(Domain(find_space("nasbench101")))
    own.goal = goal
    assert SearchSettings.of(RandomSearch(), own, Constraints(), 0).goal == goal


@pytest.mark.parametrize(
    ("evaluator", "goal"),
    [
        ({}, Goal()),
        ({"evaluator": "table", "label": {"metric": "validation_accuracy"}}, Goal()),
        ({"evaluator": "measure", "score": "R²"}, Goal("validation R²")),
        ({"evaluator": "table", "score": "accuracy"}, Goal("accuracy")),
        ({"evaluator": "table", "score": "latency", "unit": 3}, Goal("latency")),
    ],
)
def test_settings_of_earlier_versions_have_their_goal(
    evaluator: dict[str, object], goal: Goal
) -> None:
    assert Goal.from_dict(evaluator) == goal
