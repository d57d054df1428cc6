"""How networks are profiled; checked without importing torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Gt
from pydantic import FiniteFloat, NonNegativeInt, PositiveInt

from pyg_nas.io.record import Rule, check_fields


@dataclass(frozen=True)
class ProfileSettings:
    """How networks are measured.

    Args:
        device: ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.
        threads: Threads of a pass on the CPU, pinned to as many cores where the system allows it.
        warm_up: Passes before the first that is measured.
        repeats: Passes that are measured.
        most_noise: Largest interquartile range of the passes, as a fraction of their median, and
            largest change of the reference network's time; a noisier measurement is not recorded.
        retries: Further tries of a network that is noisier, after all others.

    Raises:
        SettingsError: If a value breaks its rule.
    """

    device: str = "cpu"
    threads: Annotated[PositiveInt, Rule("a whole number >= 1")] = 1
    warm_up: Annotated[NonNegativeInt, Rule("a whole number >= 0")] = 3
    repeats: Annotated[PositiveInt, Rule("a whole number >= 1")] = 25
    most_noise: Annotated[FiniteFloat, Gt(0), Rule("a number above 0")] = 0.1
    retries: Annotated[NonNegativeInt, Rule("a whole number >= 0")] = 3

    def __post_init__(self) -> None:
        check_fields(self, "profile")
