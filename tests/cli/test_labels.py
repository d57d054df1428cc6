"""A label named on the command line keeps only what still belongs to it."""

from __future__ import annotations

import pytest

from pyg_nas.cli.labels import chosen_label
from pyg_nas.data.labels import PAPER_LABEL, LabelPolicy
from pyg_nas.errors import SettingsError


def test_nothing_named_is_the_default() -> None:
    assert chosen_label(PAPER_LABEL, None, None, None) == PAPER_LABEL
    same = chosen_label(PAPER_LABEL, PAPER_LABEL.metric, PAPER_LABEL.budget, None)
    assert same == PAPER_LABEL


def test_another_metric_has_no_fallback_and_another_budget_no_threshold_either() -> None:
    tested = chosen_label(PAPER_LABEL, "test_accuracy", None, "mean")
    assert (tested.metric, tested.run, tested.fallback) == ("test_accuracy", "mean", None)
    assert tested.resample_below == PAPER_LABEL.resample_below
    early = chosen_label(PAPER_LABEL, None, 12, "2")
    assert early == LabelPolicy(budget=12, run=2, resample_below=None)


def test_a_label_outside_its_rule_is_refused() -> None:
    with pytest.raises(SettingsError, match="metric '' must be one of"):
        chosen_label(PAPER_LABEL, "", None, None)
