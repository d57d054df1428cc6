"""The numbers of trained cells that stand for those which a user leaves out."""

from __future__ import annotations

from typing import Any

import pytest

from pyg_nas.cli.search_plan import Plan, plan_search
from pyg_nas.errors import SettingsError
from pyg_nas.search.search_folder.settings import SearchSettings


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, Plan(16, 4, 60, "fast")),
        ({"rounds": 1}, Plan(16, 4, 20, "fast")),
        ({"n": 40, "k": 8, "recipe": "best"}, Plan(40, 8, 48, "best")),
        ({"k": 8, "rounds": 2}, Plan(16, 8, 32, "fast")),
        ({"protocol": "paper"}, Plan(172, 10, 182, "two-stage")),
        ({"protocol": "paper", "rounds": 3}, Plan(172, 10, 202, "two-stage")),
        ({"of_networks": True}, Plan(16, 4, 60, "networks")),
    ],
)
def test_what_is_left_out_comes_from_the_protocol(given: dict[str, Any], expected: Plan) -> None:
    assert plan_search(**given) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, Plan(20, 5, 35, "best")),
        ({"rounds": 4}, Plan(20, 5, 40, "best")),
        ({"n": 30}, Plan(30, 5, 35, "best")),
        ({"recipe": "fast"}, Plan(20, 5, 35, "fast")),
        ({"protocol": "paper"}, Plan(172, 10, 182, "two-stage")),
    ],
)
def test_a_resumed_search_keeps_its_own_numbers(given: dict[str, Any], expected: Plan) -> None:
    strategy = {"predictor": "recipe best", "n": 20, "k": 5}
    stored = SearchSettings({"strategy_settings": strategy, "budget": 35})
    assert plan_search(**given, stored=stored) == expected


def test_a_search_that_was_stored_by_its_cells_at_once() -> None:
    stored = SearchSettings({"strategy_settings": {"at_once": 7}, "budget": 80})
    assert plan_search(stored=stored) == Plan(16, 7, 80, "fast")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"protocol": "old"}, "--protocol 'old' must be one of recommended, paper"),
        ({"rounds": 0}, "--rounds must be at least 1, got 0"),
    ],
)
def test_invalid_numbers_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        plan_search(**given)
