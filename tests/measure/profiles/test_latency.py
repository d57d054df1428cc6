"""Latency: of passes of a network, in order of quartiles."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from pyg_nas.measure.profiles import latency
from pyg_nas.measure.profiles.latency import measure_latency, processor_name, time_passes


def test_quartiles_of_the_passes(monkeypatch: pytest.MonkeyPatch):
    """By a clock of which every pass takes one unit longer than the last."""

    class Network(nn.Module):
        def forward(self, image: torch.Tensor) -> None:
            shapes.append(image.shape)

    shapes = []
    moments, now = [], 0.0
    for step in range(1, 21):
        moments += [now, now + step]
        now += step
    readings = iter([-1e3, *moments, 1e9])  # the 2 seconds are over before the fewest passes are
    monkeypatch.setattr(latency, "time", SimpleNamespace(perf_counter=lambda: next(readings)))
    monkeypatch.setattr(latency, "_interruptions", lambda: 0)
    found = measure_latency((Network(), torch.zeros(1, 3, 8, 4)))
    assert (found.lower, found.median, found.upper) == (5.75, 10.5, 15.25)
    assert found.repeats == 20
    assert set(shapes) == {(1, 3, 8, 4)}
    assert len(shapes) == 26  # one to see that it runs
    assert found.threads == 1


@pytest.mark.parametrize(
    ("interrupted", "seconds"),
    [
        ({2, 3}, [1.0, 4.0, 5.0, 6.0]),  # in their place two more passes are measured
        (set(range(2, 17)), [float(step) for step in range(1, 17)]),  # hopeless: all of 4 * 4
    ],
)
def test_interrupted_passes_are_measured_again(
    monkeypatch: pytest.MonkeyPatch, interrupted: set[int], seconds: list[float]
):
    """Pass n takes n seconds of a clock, and the system interrupts some."""
    now, passes, switches = 0.0, 0, 0

    def run() -> None:
        nonlocal now, passes, switches
        passes += 1
        now += passes
        switches += passes in interrupted

    monkeypatch.setattr(latency, "time", SimpleNamespace(perf_counter=lambda: now))
    monkeypatch.setattr(latency, "_interruptions", lambda: switches)
    assert time_passes(run, 0, 4, 4, 0.0).tolist() == seconds


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_interruptions_are_those_of_all_threads():
    found = [
        int(line.split()[1])
        for status in Path("/proc/self/task").glob("*/status")
        for line in status.read_text().splitlines()
        if line.startswith("nonvoluntary_ctxt_switches")
    ]
    assert latency._interruptions() >= sum(found)  # and those of threads that have ended


def test_the_processor_has_a_name():
    assert processor_name()
