"""The settings of a search: what is read of a file, and when a search may be resumed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyg_nas.errors import SettingsError
from pyg_nas.graphs.registry import default_space
from pyg_nas.search.ask_tell import Search
from pyg_nas.search.constraints import Constraints
from pyg_nas.search.domain import Domain
from pyg_nas.search.early_stopping import EarlyStopping
from pyg_nas.search.evaluators.evaluator import ExternalEvaluator
from pyg_nas.search.methods.by_name import make_strategy
from pyg_nas.search.methods.strategies import PredictorSearch, RandomSearch
from pyg_nas.search.search_folder.settings import SearchSettings, nested_values

SPACE = default_space()
EVALUATOR = ExternalEvaluator(Domain(SPACE))
LIMITS = Constraints(max_parameters=10**7, max_seconds=60.0)


def test_a_file_describes_how_the_search_was_begun(tmp_path: Path) -> None:
    strategy = make_strategy("predictor", EVALUATOR, n=20, k=5, recipe="best", acquisition="ucb")
    SearchSettings.of(strategy, EVALUATOR, LIMITS, 7, "photos", 40, EarlyStopping((1, 4))).write(
        tmp_path
    )
    read = SearchSettings.read(tmp_path)
    assert (read.method, read.target, read.kind, read.goal.score) == (
        "predictor", "photos", "external", "accuracy",
    )  # fmt: skip
    assert (read.n, read.k, read.budget, read.seed) == (20, 5, 40, 7)
    assert (read.recipe, read.acquisition) == ("best", "ucb")
    assert read.early_stopping["budgets"] == [1, 4]
    assert read.constraints == LIMITS
    assert read.space() == SPACE
    assert read.is_complete
    assert not read.needs_its_program


@pytest.mark.parametrize(
    ("value", "message"),
    [(np.int64(3), "int64 is not JSON"), (float("nan"), "not JSON compliant"), ({1}, "type set")],
)
def test_descriptions_that_are_no_json_are_refused(
    tmp_path: Path, value: object, message: str
) -> None:
    class Own(ExternalEvaluator):
        def describe(self) -> dict[str, Any]:
            return {**super().describe(), "rate": value}

    own = Own(Domain(SPACE))
    with pytest.raises(SettingsError, match=f"must be JSON values: .*{message}"):
        Search(tmp_path, evaluator=own, strategy=RandomSearch())
    assert not list(tmp_path.iterdir())


def test_a_strategy_without_a_predictor_has_no_recipe() -> None:
    settings = SearchSettings.of(RandomSearch(3), EVALUATOR, Constraints(), 0)
    assert (settings.recipe, settings.n, settings.k) == (None, None, 3)
    assert not settings.needs_its_program


def test_objects_of_a_program_are_recognised() -> None:
    own = PredictorSearch(lambda n, seed: None, predictor="mine")
    assert SearchSettings.of(own, EVALUATOR, Constraints(), 0).needs_its_program
    part = ExternalEvaluator(Domain(SPACE, SPACE.support.cells()[:5]))
    assert SearchSettings.of(RandomSearch(), part, Constraints(), 0).needs_its_program


def test_the_files_of_other_programs_are_searched_for_what_is_needed() -> None:
    settings = SearchSettings(
        {
            "strategy": {"method": "random"},
            "evaluator": {"evaluator": "table", "space": "nasbench101", "score": "R²"},
            "limits": {"max_macs": 5},
        }
    )
    assert (settings.method, settings.kind, settings.goal.name) == ("random", "table", "R²")
    assert settings.constraints == Constraints(max_macs=5)
    assert settings.space().name == "nasbench101"
    assert not settings.is_complete
    with pytest.raises(SettingsError, match="describes the search space; for a report"):
        SearchSettings({"space": 3}).space()


@pytest.mark.parametrize(
    ("stored", "asked", "message"),
    [
        ({"seed": 1}, {"seed": 2}, "seed = 1, 2 was requested; .* or the same settings$"),
        (
            {"budget": 9},
            {"budget": 5},
            "architectures in all = 9, 5 was requested; .* or more architectures$",
        ),
        (
            {"evaluator": {"label": {"run": 0, "budget": 4}}},
            {"evaluator": {"label": {"run": 0, "budget": 12}}},
            "label budget = 4, 12 was requested",
        ),
        (
            {"evaluator": {"cells": 8}},
            {"evaluator": {"cells": 9}},
            "number of candidates = 8, 9 was requested",
        ),
        (
            {"strategy_settings": {"n": 16}},
            {"strategy_settings": {"n": 4}},
            "start = 16, 4 was requested",
        ),
        ({}, {"early_stopping": {"kept": 3}}, "early_stopping = None, {'kept': 3} was requested"),
    ],
)
def test_the_first_setting_that_differs_is_named(
    stored: dict[str, Any], asked: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingsError, match=f"contains a search with {message}"):
        SearchSettings(asked).check_resumes(SearchSettings(stored))


def test_a_larger_budget_resumes() -> None:
    SearchSettings({"budget": 9, "n": (1,)}).check_resumes(SearchSettings({"budget": 5, "n": [1]}))


@pytest.mark.parametrize("name", ["n", "k"])
@pytest.mark.parametrize("value", [-1, "4", 2.0, True])
def test_numbers_that_no_search_wrote_are_refused(name: str, value: object) -> None:
    settings = SearchSettings({"strategy_settings": {name: value}})
    with pytest.raises(SettingsError, match=f"{name} {value!r} is not of a search"):
        getattr(settings, name)


@pytest.mark.parametrize(
    ("evaluator", "note"),
    [
        ({"label": {"run": 2}}, "of one training run; more runs would give an interval"),
        ({"label": {"run": "mean"}}, "mean of the measured runs"),
        ({"seeds": 1, "budget": 9}, "of one training run; more runs would give an interval"),
        ({"seeds": 3, "budget": 9}, "mean of 3 runs"),
        ({"label": {"run": None}}, ""),
        ({"label": 3, "seeds": "4"}, ""),
        (None, ""),
    ],
)
def test_the_runs_of_an_accuracy_are_stated(evaluator: object, note: str) -> None:
    assert SearchSettings({"evaluator": evaluator}).runs_note == note


def test_settings_have_the_names_of_options() -> None:
    stored = {
        "budget": 24,
        "strategy_settings": {"n": 16, "k": 4, "max_seconds": None},
        "evaluator": {"budget": 12},
    }
    assert SearchSettings(stored).named_as_options() == {
        "trained in all": 24,
        "strategy_settings": {"start": 16, "refit": 4, "max_training_time": None},
        "evaluator": {"budget": 12},
    }
    assert stored["strategy_settings"]["n"] == 16  # type: ignore[index]
    lost = {"strategy_settings": "lost"}
    assert SearchSettings(lost).named_as_options() == lost


def test_values_are_found_outermost_first() -> None:
    settings = {"b": {"a": 2, "c": {"a": 3}}, "a": 1}
    assert nested_values(settings, "a") == [1, 2, 3]
    assert nested_values(settings, "a", depth=1) == [1]
    assert nested_values(7, "a") == []


def test_a_folder_without_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="it has no settings"):
        SearchSettings.read(tmp_path)
    (tmp_path / "settings.json").write_text(json.dumps([]))
    with pytest.raises(SettingsError, match="must be a JSON object"):
        SearchSettings.read(tmp_path)
