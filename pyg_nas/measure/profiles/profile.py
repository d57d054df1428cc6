"""The cost of networks on a device: latency and peak memory, measured and kept as a table."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pyg_nas.compute.device import pick_device
from pyg_nas.data.networks.reading import OnNetwork, read_networks
from pyg_nas.data.networks.sources import NetworkSource, naming_network
from pyg_nas.data.networks.table import NetworkTable
from pyg_nas.errors import MeasureError, NetworkError
from pyg_nas.io.text import counted, percent
from pyg_nas.measure.profiles.journal import Profile, ProfileJournal
from pyg_nas.measure.profiles.latency import device_name, quiet, time_passes
from pyg_nas.measure.profiles.runner import ModuleRunner, Runner, runner_of
from pyg_nas.measure.settings import ProfileSettings

_REFERENCE_REPEATS = 7
_FIRST_REFERENCE_REPEATS = 50
_PAUSE_SECONDS = 1.0
_MOST_DEATHS = 2  # one may be that of the machine

OnProfiled = Callable[[int, int], None]
"""Called after each network with the number of networks that are done, and of all."""


@dataclass
class ProfileResult:
    """The table of a profile, and the networks that it lacks.

    Args:
        table: The networks that could be run, with the targets ``latency`` and ``latency_spread``
            in seconds, ``reference_drift`` and ``peak_memory`` in bytes.
        noisy: Noise of each network that was too noisy to be recorded, by its name; NaN in the
            table.
        failed: Why other networks could not be run, by their names; not in the table.
    """

    table: NetworkTable
    noisy: dict[str, float] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def profile_networks(
    sources: Sequence[NetworkSource],
    out: str | os.PathLike[str],
    settings: ProfileSettings | None = None,
    progress: OnProfiled | None = None,
    reading: OnNetwork | None = None,
    workers: int = 1,
) -> ProfileResult:
    """Measure networks one after another and write a table of them.

    The graphs of all networks are read first, so that none turns out to be wrong after hours; each
    network is built again when it is measured, because all together may not fit in memory. Every
    measurement is appended to ``OUT.journal.jsonl``, so that a stopped call resumes. A network
    during which the process ended, for lack of memory or by a crash, is measured again after all
    others; if the process ends there a second time, the network counts as failed in later calls.
    A reference network is timed after each network; its change shows the drift of the machine.

    Args:
        sources: The networks.
        out: The table's file; the journal lies beside it.
        settings: How they are measured.
        progress: Called after each network.
        reading: Called after each graph that is read.
        workers: Processes that read graphs, before anything is measured; -1 for one on each core.

    Raises:
        NetworkError: If a network cannot be read; the message names all of these.
        SettingsError: If the machine does not have the device, another process uses the journal,
            or it was made with other settings or on another processor.
        MeasureError: If the machine is too noisy for its reference network, or no network could
            be measured.
    """
    settings = settings or ProfileSettings()
    device = pick_device(settings.device)
    about = {**asdict(settings), "processor": device_name(device), "torch": torch.__version__}
    path = Path(f"{os.fspath(out)}.journal.jsonl")
    graphs = read_networks(sources, reading, workers)
    # Another bound on the noise is another choice among the same measurements.
    equal = {name: value for name, value in about.items() if name not in ("most_noise", "retries")}
    with (
        ProfileJournal(path, equal) as journal,
        quiet(settings.threads),
    ):
        profiler = _Profiler(settings, device, journal)
        measured = profiler.measured(sources, graphs.hashes, progress)
    if not len(measured):
        name, reason = next(iter(profiler.failed.items()))
        raise MeasureError(
            f"none of {counted(len(sources), 'network')} could be measured; {name}: {reason}"
        )
    targets = {
        name: np.array([row[name] for row in profiler.rows], dtype=np.float64)
        for name in profiler.rows[0]
    }
    names = [sources[number].name for number in measured]
    about["reference_seconds"] = profiler.reference
    table = NetworkTable(graphs.select(np.array(measured)), names, targets, about)
    table.save(out)
    return ProfileResult(table, profiler.noisy, profiler.failed)


class _Profiler:
    """Measures networks that the journal does not have, or has with more noise."""

    def __init__(
        self, settings: ProfileSettings, device: torch.device, journal: ProfileJournal
    ) -> None:
        self._settings = settings
        self._device = device
        self._journal = journal
        self._reference = ModuleRunner(*reference_network(), device)
        self.rows: list[dict[str, float]] = []
        self.noisy: dict[str, float] = {}
        self.failed: dict[str, str] = {}
        self.reference = journal.reference or self._first_reference()

    def _first_reference(self) -> float:
        """Return the seconds of the reference network on the machine as it is now."""
        spreads = []
        for attempt in range(self._settings.retries + 1):
            time.sleep(_PAUSE_SECONDS * attempt)
            median, spread = _summary(self._passes(self._reference, _FIRST_REFERENCE_REPEATS))
            if spread <= self._settings.most_noise:
                self._journal.add({"reference": median})
                return median
            spreads.append(spread)
        raise MeasureError(
            f"this machine is too noisy: {len(spreads)} times the passes of the reference network "
            f"differed by {percent(min(spreads), 1)} or more, at most "
            f"{percent(self._settings.most_noise, 1)} are allowed (interquartile range by "
            f"median); run the command again when no other process is at work"
        )

    def measured(
        self,
        sources: Sequence[NetworkSource],
        hashes: NDArray[np.bytes_],
        progress: OnProfiled | None,
    ) -> list[int]:
        """Return the numbers of the networks that could be measured, in their order.

        Noisy networks are measured again after all others, when a disturbance may have ended.
        Those during which an earlier process ended come last, because this one may end there, too.
        """
        found: dict[int, Profile] = {}
        deaths = [
            self._journal.deaths(source.name, digest.decode())
            for source, digest in zip(sources, hashes, strict=True)
        ]
        for source, count in zip(sources, deaths, strict=True):
            if count >= _MOST_DEATHS:
                self.failed[source.name] = (
                    f"the process ended {count} times while it was measured, for lack of memory or "
                    f"by a crash"
                )
        waiting = [number for number, count in enumerate(deaths) if count < _MOST_DEATHS]
        waiting.sort(key=deaths.__getitem__)
        for attempt in range(self._settings.retries + 1):
            time.sleep(_PAUSE_SECONDS * attempt)
            noisy: list[int] = []
            for tried, number in enumerate(waiting, 1):
                name = sources[number].name
                try:
                    profile = self._measure(sources[number], hashes[number].decode())
                except NetworkError as error:
                    self.failed[name] = str(error).removeprefix(f"{name}: ")
                    found.pop(number, None)
                else:
                    if number not in found or profile.noise < found[number].noise:
                        found[number] = profile
                    if profile.noise > self._settings.most_noise:
                        noisy.append(number)
                if progress is not None:
                    last = attempt == self._settings.retries
                    left = len(waiting) - tried + (0 if last else len(noisy))
                    progress(len(sources) - left, len(sources))
            waiting = noisy
            if not waiting:
                break
        measured = sorted(found)
        for number in measured:
            profile = found[number]
            row = _row(profile)
            if profile.noise > self._settings.most_noise:
                self.noisy[sources[number].name] = profile.noise
                row = dict.fromkeys(row, float("nan"))
            self.rows.append(row)
        return measured

    def _measure(self, source: NetworkSource, digest: str) -> Profile:
        profile = self._journal.find(source.name, digest)
        if profile is None or profile.noise > self._settings.most_noise:
            with self._journal.measuring(source.name, digest):
                profile = self._measured_now(source)
            if profile.noise <= self._settings.most_noise:
                self._journal.add({"name": source.name, "hash": digest, **asdict(profile)})
        return profile

    def _measured_now(self, source: NetworkSource) -> Profile:
        gc.collect()
        gc.freeze()  # what is left is permanent: later collections can skip it
        with naming_network(source.name):
            runner = runner_of(source.load(), self._device, self._settings.threads)
            memory = runner.peak_memory()
            latency, spread = _summary(self._passes(runner, self._settings.repeats))
        reference, _ = _summary(self._passes(self._reference, _REFERENCE_REPEATS))
        drift = reference / self.reference
        return Profile(latency, spread, drift, None if np.isnan(memory) else memory)

    def _passes(self, runner: Runner, repeats: int) -> NDArray[np.float64]:
        return time_passes(runner.run, self._settings.warm_up, repeats, repeats, 0.0)


def reference_network() -> tuple[nn.Module, torch.Tensor]:
    """Return the network that is timed between others, with its input."""
    layers: list[nn.Module] = []
    channels = 3
    for width in (16, 32, 32):
        layers += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
        channels = width
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10)]
    return nn.Sequential(*layers, *head), torch.zeros(1, 3, 32, 32)


def _row(profile: Profile) -> dict[str, float]:
    return {
        "latency": profile.latency,
        "latency_spread": profile.latency * profile.spread,
        "peak_memory": float("nan") if profile.peak_memory is None else profile.peak_memory,
        "reference_drift": profile.drift,
    }


def _summary(seconds: NDArray[np.float64]) -> tuple[float, float]:
    """Return the median, and the interquartile range as a fraction of it."""
    lower, median, upper = np.quantile(seconds, [0.25, 0.5, 0.75]).tolist()
    return median, (upper - lower) / median
