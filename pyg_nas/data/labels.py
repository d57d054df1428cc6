"""Which number of a table is the label: a policy with a name, so that it is never left unsaid."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

from pyg_nas.errors import SettingsError

METRICS = ("training_time", "train_accuracy", "validation_accuracy", "test_accuracy")
"""Columns of a table's metrics: seconds, then accuracies as fractions."""

BLOWN_UP = 0.2
"""A run that ends below this accuracy has blown up, by the reproduction's rule."""


@dataclass(frozen=True)
class LabelPolicy:
    """The rule by which a cell's measured runs become one label.

    Args:
        metric: One of :data:`METRICS`.
        budget: Training budget in epochs; None for the table's largest.
        run: Index of the run (the seed), or ``"mean"`` over the measured runs.
        halfway: Take the reading halfway through training instead of the end.
        resample_below: An accuracy below this has blown up. A single run is then replaced by
            the next run (cyclically) that is measured and has not; a mean leaves it out. Where
            no run is left, the label is ``fallback``. None keeps every run as it is.
        fallback: Label of a cell all of whose runs blew up; None for the mean label of the
            table's other cells.

    A cell whose chosen run was not measured has the label NaN: nothing is made up for it.

    Raises:
        SettingsError: If a value is outside its rule.
    """

    metric: str = "validation_accuracy"
    budget: int | None = None
    run: int | Literal["mean"] = 0
    halfway: bool = False
    resample_below: float | None = BLOWN_UP
    fallback: float | None = None

    def __post_init__(self) -> None:
        if self.metric not in METRICS:
            raise SettingsError(f"label metric {self.metric!r} must be one of {', '.join(METRICS)}")
        whole = isinstance(self.run, int) and not isinstance(self.run, bool) and self.run >= 0
        if self.run != "mean" and not whole:
            raise SettingsError(f"label run {self.run!r} must be 'mean' or a whole number >= 0")
        if self.budget is not None and (type(self.budget) is not int or self.budget < 1):
            raise SettingsError(f"label budget {self.budget!r} must be a whole number >= 1")
        if not isinstance(self.halfway, bool):
            raise SettingsError(f"label halfway {self.halfway!r} must be true or false")
        for name in ("resample_below", "fallback"):
            value = getattr(self, name)
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if value is not None and not (number and math.isfinite(value)):
                raise SettingsError(f"label {name} {value!r} must be a finite number")

    @property
    def resamples(self) -> bool:
        """Whether blown-up runs are replaced: only accuracies can blow up."""
        return self.resample_below is not None and self.metric != "training_time"

    @property
    def larger_is_better(self) -> bool:
        """Whether the better of two labels is the larger: of accuracies, not of seconds."""
        return self.metric != "training_time"

    def __str__(self) -> str:
        budget = "largest budget" if self.budget is None else f"{self.budget} epochs"
        run = "mean of runs" if self.run == "mean" else f"run {self.run}"
        point = ", halfway" if self.halfway else ""
        resampled = f", runs below {self.resample_below:g} replaced" if self.resamples else ""
        return f"{self.metric.replace('_', ' ')} at {budget}, {run}{point}{resampled}"

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        return asdict(self)

    @classmethod
    def from_dict(cls, description: Any) -> LabelPolicy:
        """Rebuild a policy from :meth:`to_dict`'s result.

        Raises:
            SettingsError: If a key is unknown or a value is outside its rule.
        """
        if not isinstance(description, dict):
            raise SettingsError(f"a label policy must be a JSON object, got {description!r}")
        unknown = set(description) - set(cls.__dataclass_fields__)
        if unknown:
            raise SettingsError(f"unknown keys in a label policy: {', '.join(sorted(unknown))}")
        return cls(**description)


PAPER_LABEL = LabelPolicy(budget=108, fallback=0.908192)
"""Label of arXiv:1912.00848's reproduction: final validation accuracy of seed 0 on CIFAR-10."""
