"""Profiles: what is measured is kept, what is noisy is not recorded, what is broken is named."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pyg_nas.data.networks.sources import network_sources
from pyg_nas.data.networks.table import NetworkTable
from pyg_nas.errors import MeasureError, NetworkError, SettingsError
from pyg_nas.measure.profiles import profile
from pyg_nas.measure.profiles.profile import profile_networks
from pyg_nas.measure.settings import ProfileSettings
from pyg_nas.spaces.modules import graph_of

INPUT = torch.zeros(1, 4)
NETWORKS = [(nn.Linear(4, 3), INPUT), (nn.Sequential(nn.Linear(4, 5), nn.ReLU()), INPUT)]
SETTINGS = ProfileSettings(warm_up=0, repeats=5, retries=1)


class Clock:
    """Seconds of passes: of the reference network, then of each network in turn."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *seconds: list[float]) -> None:
        self.waiting = list(seconds)
        monkeypatch.setattr(profile, "time_passes", self)
        monkeypatch.setattr(profile, "_PAUSE_SECONDS", 0.0)

    def __call__(self, run, *_: object) -> np.ndarray:
        run()
        return np.array(self.waiting.pop(0))


STEADY = [1.0, 1.0, 1.0]
NOISY = [1.0, 2.0, 3.0]


def test_what_is_measured_is_in_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch, STEADY, [2.0, 2.0, 2.1], [1.05], [0.5], [1.0])
    out = tmp_path / "t.hdf5"
    done = []
    result = profile_networks(network_sources(NETWORKS), out, SETTINGS, lambda *at: done.append(at))
    table = NetworkTable.load(out)
    assert done == [(1, 2), (2, 2)]
    assert table.targets["latency"].tolist() == [2.0, 0.5]
    np.testing.assert_allclose(table.targets["latency_spread"], [0.05, 0.0], atol=1e-12)
    assert table.targets["reference_drift"].tolist() == [1.05, 1.0]
    assert table.networks.parameters.tolist() == [15, 25]
    assert table.hashes[0].decode() == graph_of(*NETWORKS[0]).hash
    # Weights and biases, and at the least the result, of 4 bytes each.
    assert (table.targets["peak_memory"] >= [4 * (15 + 3), 4 * (25 + 5)]).all()
    assert (table.about["device"], table.about["reference_seconds"]) == ("cpu", 1.0)
    assert not result.noisy
    assert not result.failed


def test_what_is_noisy_is_tried_again_and_then_not_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first passes of one, and the reference network after the other; both after all others."""
    drifted, done = [1.5], []
    Clock(monkeypatch, STEADY, NOISY, [1.0], STEADY, drifted, STEADY, [1.0], STEADY, drifted)
    out = tmp_path / "t.hdf5"
    sources = network_sources(NETWORKS)
    result = profile_networks(sources, out, SETTINGS, lambda *counts: done.append(counts))
    assert done == [(0, 2), (0, 2), (1, 2), (2, 2)]
    assert result.noisy == {"network 1": 0.5}
    np.testing.assert_array_equal(result.table.targets["latency"], [1.0, np.nan])
    Clock(monkeypatch, STEADY, [1.0])  # resumes with the one that is missing
    again = profile_networks(network_sources(NETWORKS), out, SETTINGS)
    assert again.table.targets["latency"].tolist() == [1.0, 1.0]
    Clock(monkeypatch)
    profile_networks(network_sources(NETWORKS), out, SETTINGS)
    with pytest.raises(SettingsError, match="warm_up = 0, 1 was requested"):
        profile_networks(network_sources(NETWORKS), out, ProfileSettings(warm_up=1, repeats=5))


def test_a_changed_network_is_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "t.hdf5"
    Clock(monkeypatch, STEADY, STEADY, [1.0])
    profile_networks(network_sources(NETWORKS[:1]), out, SETTINGS)
    Clock(monkeypatch, [3.0], [1.0])
    changed = network_sources([(nn.Linear(4, 7), INPUT)])
    assert profile_networks(changed, out, SETTINGS).table.targets["latency"].tolist() == [3.0]


def test_a_machine_that_is_too_noisy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch, NOISY, NOISY)
    out = tmp_path / "t.hdf5"
    with pytest.raises(MeasureError, match=r"too noisy: 2 times .* 50.0 % or more, at most 10.0 %"):
        profile_networks(network_sources(NETWORKS), out, SETTINGS)
    assert not out.exists()


class Broken(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("on purpose")


def test_networks_that_cannot_be_run_are_left_out_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = graph_of(*NETWORKS[0])
    sources = network_sources([graph, NETWORKS[0]])
    Clock(monkeypatch, STEADY, STEADY, [1.0])
    result = profile_networks(sources, tmp_path / "t.hdf5", SETTINGS)
    assert list(result.table.names) == ["network 1"]
    assert "graph alone" in result.failed["network 0"]
    Clock(monkeypatch, STEADY)
    with pytest.raises(MeasureError, match=r"none of 1 network .* graph alone"):
        profile_networks(sources[:1], tmp_path / "u.hdf5", SETTINGS)


def test_a_network_that_fails_while_it_is_timed_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(nn.Linear):
        passes = 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.passes += 1
            if self.passes > 2:  # the first, and that of its memory
                raise RuntimeError("the cache is full")
            return super().forward(x)

    Clock(monkeypatch, STEADY, STEADY, STEADY, [1.0])
    sources = network_sources([(Full(4, 2), INPUT), NETWORKS[0]])
    result = profile_networks(sources, tmp_path / "t.hdf5", SETTINGS)
    assert list(result.table.names) == ["network 1"]
    assert result.failed == {"network 0": "it does not run on cpu: the cache is full"}


def test_networks_that_cannot_be_read_are_refused_first(tmp_path: Path) -> None:
    broken, read = (Broken(), INPUT), []
    sources = network_sources([broken, NETWORKS[0], broken])
    with pytest.raises(NetworkError, match=r"2 of 3 networks(.*\n.*on purpose){2}"):
        profile_networks(
            sources, tmp_path / "t.hdf5", SETTINGS, reading=lambda *counts: read.append(counts)
        )
    assert read == [(1, 3), (2, 3), (3, 3)]
    assert not list(tmp_path.iterdir())


def test_real_passes_are_kept_in_the_journal(tmp_path: Path) -> None:
    out = tmp_path / "t.hdf5"
    settings = ProfileSettings(warm_up=1, repeats=3, most_noise=1e9, retries=0)
    profile_networks(network_sources(NETWORKS[:1]), out, settings)
    lines = Path(f"{out}.journal.jsonl").read_text().splitlines()
    assert json.loads(lines[0])["settings"]["device"] == "cpu"
    assert 0 < json.loads(lines[-1])["latency"] < 1


DEADLY = """
import os, signal, sys
from pathlib import Path
import torch
from torch import nn
from pyg_nas.data.networks.sources import network_sources
from pyg_nas.measure.profiles.profile import profile_networks
from pyg_nas.measure.settings import ProfileSettings


class Deadly(nn.Linear):
    def forward(self, x):
        if type(x) is torch.Tensor:  # not while its graph is read
            os.kill(os.getpid(), signal.SIGKILL)
        return super().forward(x)


x = torch.zeros(1, 4)
networks = [(nn.Linear(4, 2), x), (Deadly(4, 3), x), (nn.Linear(4, 5), x)]
settings = ProfileSettings(warm_up=0, repeats=3, most_noise=1e9, retries=0)
result = profile_networks(network_sources(networks), sys.argv[1], settings)
print(list(result.table.names), result.failed)
"""


@pytest.mark.skipif(os.name != "posix", reason="kills a process by a signal")
def test_a_network_that_ends_the_process_is_left_out_after_the_second_time(tmp_path: Path) -> None:
    def run() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", DEADLY, str(tmp_path / "t.hdf5")]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def measured() -> list[str]:
        lines = (tmp_path / "t.hdf5.journal.jsonl").read_text().splitlines()
        return [record["name"] for record in map(json.loads, lines) if "name" in record]

    assert run().returncode == -signal.SIGKILL
    assert measured() == ["network 0"]
    assert run().returncode == -signal.SIGKILL  # it comes last
    assert measured() == ["network 0", "network 2"]
    done = run()
    assert done.returncode == 0, done.stderr
    assert "['network 0', 'network 2'] {'network 1': 'the process ended 2 times" in done.stdout
    assert run().stdout == done.stdout
