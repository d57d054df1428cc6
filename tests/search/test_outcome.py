"""The outcome of a cell from the runs that it was trained for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from pyg_nas.measure.campaigns.job import Reading, Run
from pyg_nas.search.ask_tell import Search
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


@pytest.mark.parametrize("scalar", [np.float32, np.array, torch.tensor])
def test_a_tensor_of_one_number_is_a_number(scalar: Any) -> None:
    search = Search()
    (candidate,) = search.ask()
    search.report(candidate.id, epochs=1, accuracy=scalar(0.25), seconds=scalar(2.0))
    search.tell(candidate.id, accuracy=scalar(0.5), seconds=scalar(4.0))
    outcome = search.result.history[0].outcome
    assert (type(outcome.accuracy), outcome.accuracy, outcome.seconds) == (float, 0.5, 4.0)
    assert [(rung.accuracy, rung.seconds) for rung in outcome.rungs] == [(0.25, 2.0)]
    with pytest.raises(ValueError, match="accuracy must be a finite number, got "):
        search.tell(candidate.id, accuracy=torch.zeros(1))
