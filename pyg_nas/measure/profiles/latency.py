"""Measuring the latency of one network on a device."""

from __future__ import annotations

import gc
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pyg_nas.compute.device import pick_device
from pyg_nas.compute.threads import torch_threads
from pyg_nas.measure.profiles.runner import runner_of

_WARM_UP = 5
_FEWEST, _MOST = 20, 200
_SECONDS = 2.0
_THREADS = 1
_MOST_INTERRUPTED = 4  # passes in all, as a multiple of those that are needed


@dataclass(frozen=True)
class Latency:
    """Time of one forward pass.

    Args:
        median: Median in seconds.
        lower: Lower quartile in seconds.
        upper: Upper quartile in seconds.
        repeats: Passes that were measured.
        threads: Threads of a pass on a processor.
        processor: Name of the processor or graphics processor.
    """

    median: float
    lower: float
    upper: float
    repeats: int
    threads: int
    processor: str


def measure_latency(network: Any, device: str = "cpu") -> Latency:
    """Measure a network on a device of this machine.

    Args:
        network: What a source loads: a module with its example inputs, or an ONNX file.
        device: As ``cpu`` or ``cuda:1``.

    Returns:
        The times of 20 to 200 passes on one thread, measured in about 2 seconds.

    Raises:
        NetworkError: If it does not run on the device.
    """
    chosen = pick_device(device)
    runner = runner_of(network, chosen, _THREADS)
    with quiet(_THREADS):
        seconds = time_passes(runner.run, _WARM_UP, _FEWEST, _MOST, _SECONDS)
    lower, median, upper = np.quantile(seconds, [0.25, 0.5, 0.75]).tolist()
    return Latency(median, lower, upper, len(seconds), _THREADS, device_name(chosen))


def time_passes(
    run: Callable[[], object], warm_up: int, fewest: int, most: int, limit: float
) -> NDArray[np.float64]:
    """Return the seconds of each pass that was not interrupted, ``[n]``.

    A pass is interrupted when the system gives its processor to another process: its time is that
    of both. Where nearly all passes are, those of all are returned.

    Args:
        run: Runs one pass and waits for its end.
        warm_up: Passes before the first that is measured.
        fewest: Passes that are measured at least.
        most: Passes that are measured at most.
        limit: Seconds after which no further pass than the fewest is begun.
    """
    every: list[float] = []
    undisturbed: list[float] = []
    for _ in range(warm_up):
        run()
    end = time.perf_counter() + limit
    while (len(undisturbed) < fewest and len(every) < _MOST_INTERRUPTED * fewest) or (
        len(undisturbed) < most and time.perf_counter() < end
    ):
        before = _interruptions()
        started = time.perf_counter()
        run()
        every.append(time.perf_counter() - started)
        if _interruptions() == before:
            undisturbed.append(every[-1])
    return np.array(undisturbed if len(undisturbed) >= fewest else every)


def _interruptions() -> int:
    """Return how often the system took a processor from this process; 0 where it does not count."""
    if os.name != "posix":
        return 0
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw


@contextmanager
def quiet(threads: int) -> Iterator[None]:
    """Run on ``threads`` threads and cores, without garbage collection, and restore both."""
    collects = gc.isenabled()
    cores = os.sched_getaffinity(0) if sys.platform == "linux" else set()
    with torch_threads(threads):
        try:
            if len(cores) > threads:
                os.sched_setaffinity(0, sorted(cores)[-threads:])
            gc.disable()
            gc.freeze()  # collections can skip the objects that exist now
            yield
        finally:
            gc.unfreeze()
            if cores:
                os.sched_setaffinity(0, cores)
            if collects:
                gc.enable()


def device_name(device: torch.device) -> str:
    """Return the name of the processor or graphics processor."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return processor_name()


def processor_name() -> str:
    """Return the name of this machine's processor."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()
