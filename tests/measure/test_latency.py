"""Latency: of passes of one image, in order of quartiles."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from pyg_nas.measure import latency
from pyg_nas.measure.latency import measure_latency, processor_name


def test_quartiles_of_the_passes(monkeypatch: pytest.MonkeyPatch):
    """By a clock of which every pass takes one unit longer than the last."""
    shapes = []
    moments, now = [], 0.0
    for step in range(1, 21):
        moments += [now, now + step]
        now += step
    readings = iter([-1e3, *moments, 1e9])  # the 2 seconds are over before the fewest passes are
    monkeypatch.setattr(latency, "time", SimpleNamespace(perf_counter=lambda: next(readings)))
    found = measure_latency(lambda image: shapes.append(image.shape), (3, 8, 4))
    assert (found.lower, found.median, found.upper) == (5.75, 10.5, 15.25)
    assert found.repeats == 20
    assert set(shapes) == {(1, 3, 8, 4)}
    assert len(shapes) == 25
    assert found.threads == torch.get_num_threads()


def test_the_processor_has_a_name():
    assert processor_name()
