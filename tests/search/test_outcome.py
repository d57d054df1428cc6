"""The outcome of a cell from the runs that it was trained for."""

from __future__ import annotations

import pytest

from pyg_nas.measure.campaigns.job import Reading, Run
from pyg_nas.search.outcome import Outcome


def test_accuracies_are_means_and_seconds_a_sum() -> None:
    halfway = Reading(1.0, 9.0, 0.1, 0.1, 0.1)
    runs = [
        Run(12, 0, halfway, Reading(2.0, 9.0, 0.9, 0.5, 0.25)),
        Run(12, 1, halfway, Reading(4.0, 9.0, 0.9, 0.75, 0.5)),
    ]
    found = Outcome.from_runs(runs)
    assert found.accuracy == pytest.approx(0.625)
    assert found.seconds == pytest.approx(6.0)
    assert found.test_accuracy == found.true_accuracy == pytest.approx(0.375)
