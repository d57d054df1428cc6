"""Measuring the latency of a network for one image."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

_WARM_UP = 5
_FEWEST, _MOST = 20, 200
_SECONDS = 2.0
_MOST_INTERRUPTED = 4  # passes in all, as a multiple of those that are needed


@dataclass(frozen=True)
class Latency:
    """Time of one forward pass of one image.

    Args:
        median: Median in seconds.
        lower: Lower quartile in seconds.
        upper: Upper quartile in seconds.
    """

    median: float
    lower: float
    upper: float
    repeats: int
    threads: int
    processor: str


def measure_latency(network: nn.Module, shape: tuple[int, ...]) -> Latency:
    """Measure a network on this machine's processor.

    Args:
        network: On the processor, in evaluation mode.
        shape: Shape of an image, ``(C, H, W)``.

    Returns:
        The times of 20 to 200 passes, measured in about 2 seconds.
    """
    image = torch.zeros(1, *shape)
    with torch.inference_mode():
        seconds = time_passes(lambda: network(image), _WARM_UP, _FEWEST, _MOST, _SECONDS)
    lower, median, upper = np.quantile(seconds, [0.25, 0.5, 0.75]).tolist()
    return Latency(median, lower, upper, len(seconds), torch.get_num_threads(), processor_name())


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


def processor_name() -> str:
    """Return the name of this machine's processor."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()
