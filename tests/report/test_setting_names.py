"""The settings of a search as a report shows them."""

from __future__ import annotations

from pyg_nas.report.setting_names import named_settings


def test_settings_have_the_names_of_options() -> None:
    stored = {
        "budget": 24,
        "strategy_settings": {"n": 16, "k": 4, "max_seconds": None},
        "evaluator": {"budget": 12},
    }
    assert named_settings(stored) == {
        "trained cells in all": 24,
        "strategy_settings": {"start": 16, "refit": 4, "max_training_time": None},
        "evaluator": {"budget": 12},
    }
    assert stored["strategy_settings"]["n"] == 16


def test_settings_of_any_form_are_kept() -> None:
    assert named_settings({"strategy_settings": "lost"}) == {"strategy_settings": "lost"}
