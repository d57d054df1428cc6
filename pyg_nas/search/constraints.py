"""The constraints on the answer of a search, and the cells that they allow."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.errors import SettingsError, quoted
from pyg_nas.metrics.thresholds import above
from pyg_nas.search.domain import thing_in
from pyg_nas.search.outcome import Reference

if TYPE_CHECKING:
    from pyg_nas.search.domain import Domain
    from pyg_nas.search.evaluators.evaluator import Evaluator
    from pyg_nas.search.history import Query

LIMITS = ("max_parameters", "max_seconds", "max_macs", "max_latency")
"""Names of the constraints, also in ``settings.json``."""


@dataclass(frozen=True)
class Constraints:
    """Limits on the answer.

    Args:
        max_parameters: Largest number of trainable parameters. Cells with more are never proposed.
        max_seconds: Longest training time. It is known only after training: a trained cell that
            took longer cannot be the answer. A predictor search proposes only cells whose
            predicted training time is within this limit.
        max_macs: Largest number of MACs for one image. Cells with more are never proposed.
        max_latency: Longest predicted seconds of a pass of one image. Slower cells are never
            proposed.
    """

    max_parameters: int | None = None
    max_seconds: float | None = None
    max_macs: int | None = None
    max_latency: float | None = None

    def __post_init__(self) -> None:
        for name in LIMITS:
            value = getattr(self, name)
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if value is not None and not (number and 0 < value < math.inf):
                raise SettingsError(f"{name} must be positive and finite, got {quoted(value)}")

    def allows(self, query: Query) -> bool:
        """Return whether a query may be the answer."""
        if query.outcome.stopped:
            return False
        seconds = query.outcome.seconds
        if self.max_seconds is None:
            return True
        return seconds is not None and not above(seconds, self.max_seconds)


def restrict(evaluator: Evaluator, constraints: Constraints) -> Domain:
    """Return the evaluator's domain without cells that are too large or too slow.

    Raises:
        SettingsError: If a limited number is not known, or no cell is within the limits.
    """
    if constraints == Constraints(max_seconds=constraints.max_seconds):
        return evaluator.domain
    return evaluator.domain.where(allowed_cells(evaluator, constraints))


def allowed_cells(evaluator: Evaluator, constraints: Constraints) -> NDArray[np.bool_]:
    """Return which cells are within the limits that apply before training, ``[N]``."""
    allowed = np.ones(len(evaluator.domain), dtype=bool)
    thing, kept = thing_in(evaluator.domain.space), []
    for name, unit, limit, numbers in _limited_numbers(evaluator, constraints):
        if numbers is None:
            raise SettingsError(f"{name} cannot be limited: they are not known for these {thing}s")
        if not (numbers <= limit).any():
            raise SettingsError(
                f"no {thing} has at most {limit:.12g} {unit}, the smallest has "
                f"{numbers.min():.6g} {unit}"
            )
        allowed &= numbers <= limit
        kept.append(f"{limit:.12g} {unit}")
    if not allowed.any():
        raise SettingsError(f"no {thing} is within all limits: at most {' and '.join(kept)}")
    return allowed


def best_within(
    evaluator: Evaluator,
    limits: Constraints,
    truth: NDArray[np.float64],
    kind: str,
    fast: NDArray[np.bool_] | None = None,
) -> Reference | None:
    """Return the best cell of an evaluator's domain within limits; None if there is none.

    A limit on a number that is not known excludes no cell.

    Args:
        truth: The accuracy, or other number of the evaluator's goal, of each cell of the domain,
            ``[N]``.
        kind: Which number this is.
        fast: Which cells are within the limit of training time, ``[N]``; None for all.
    """
    allowed = np.ones(len(evaluator.domain), dtype=bool) if fast is None else fast
    for _, _, limit, numbers in _limited_numbers(evaluator, limits):
        if numbers is not None:
            allowed = allowed & (numbers <= limit)
    if not allowed.any():
        return None
    best = int(np.where(allowed, evaluator.goal.gain(truth), -np.inf).argmax())
    return Reference(float(truth[best]), kind, evaluator.domain.hash_at(best))


def _limited_numbers(
    evaluator: Evaluator, limits: Constraints
) -> Iterator[tuple[str, str, float, NDArray[Any] | None]]:
    """Yield name, unit, value and numbers of the domain of limits that apply before training.

    The value and the numbers ``[N]`` are in this unit; the numbers are None if they are not known.
    """
    for name, unit, factor, limit, count in (
        ("parameters", "parameters", 1, limits.max_parameters, evaluator.parameters),
        ("MACs", "MACs", 1, limits.max_macs, evaluator.macs),
        ("latencies", "ms of latency", 1000, limits.max_latency, evaluator.latency),
    ):
        if limit is not None:
            numbers = None if count is None else count(evaluator.domain.cells)
            yield name, unit, factor * limit, None if numbers is None else factor * numbers
