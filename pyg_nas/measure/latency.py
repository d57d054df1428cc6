"""How long a network takes for one image, measured here."""

from __future__ import annotations

import platform
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
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
        repeats: Measured passes.
        threads: Threads of torch.
        processor: Name of the processor.
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
        shape: Of an image, ``(C, H, W)``.

    Returns:
        What 20 to 200 passes took, for which about 2 seconds are spent.
    """
    image = torch.zeros(1, *shape)
    seconds: list[float] = []
    with torch.inference_mode():
        for _ in range(_WARM_UP):
            network(image)
        end = time.perf_counter() + _SECONDS
        while len(seconds) < _FEWEST or (len(seconds) < _MOST and time.perf_counter() < end):
            started = time.perf_counter()
            network(image)
            seconds.append(time.perf_counter() - started)
    lower, median, upper = np.quantile(seconds, [0.25, 0.5, 0.75]).tolist()
    return Latency(median, lower, upper, len(seconds), torch.get_num_threads(), processor_name())


def processor_name() -> str:
    """Return the name of this machine's processor."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()
