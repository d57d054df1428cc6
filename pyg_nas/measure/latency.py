"""Measuring the latency of a network for one image."""

from __future__ import annotations

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
    """Return the seconds of each pass, ``[n]``.

    Args:
        run: Runs one pass and waits for its end.
        warm_up: Passes before the first that is measured.
        fewest: Passes that are measured at least.
        most: Passes that are measured at most.
        limit: Seconds after which no further pass than the fewest is begun.
    """
    seconds: list[float] = []
    for _ in range(warm_up):
        run()
    end = time.perf_counter() + limit
    while len(seconds) < fewest or (len(seconds) < most and time.perf_counter() < end):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return np.array(seconds)


def processor_name() -> str:
    """Return the name of this machine's processor."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()
