"""What a search compares cells by: a number, and whether more or less of it is better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pyg_nas.data.protocols.label_texts import label_unit, label_words

if TYPE_CHECKING:
    from pyg_nas.data.protocols.labels import LabelPolicy
    from pyg_nas.data.tables.sources import AnyTable

ACCURACY = "accuracy"
"""The usual score of a run."""
_VALIDATION = "validation "

Numbers = TypeVar("Numbers", float, NDArray[np.float64])


@dataclass(frozen=True)
class Goal:
    """The number by which a search compares cells, and its direction.

    Records and reports have the number itself. Code that compares cells compares its :meth:`gain`.

    Args:
        name: In words: validation accuracy, validation R², latency.
        unit: Its unit; empty for fractions, and where it is not known.
        larger_is_better: False for a cost, which is minimised.
    """

    name: str = _VALIDATION + ACCURACY
    unit: str = ""
    larger_is_better: bool = True

    @classmethod
    def of_label(cls, table: AnyTable, label: LabelPolicy) -> Goal:
        """Return the goal of a search in a table for its best label."""
        words = label_words(table, label)
        return cls(words, label_unit(table, label), label.larger_is_better)

    @classmethod
    def of_task(cls, score: str) -> Goal:
        """Return the goal of a search on a task with this score of its validation images."""
        return cls(_VALIDATION + score)

    @property
    def score(self) -> str:
        """The name without ``validation``: accuracy, R², latency."""
        return self.name.removeprefix(_VALIDATION)

    @property
    def heading(self) -> str:
        """The score with its unit, for axes and columns."""
        return f"{self.score}, {self.unit}" if self.unit else self.score

    @property
    def is_validated(self) -> bool:
        """Whether it is a score of validation images, beside which a test score is of interest."""
        return self.name.startswith(_VALIDATION)

    @property
    def is_accuracy(self) -> bool:
        """Whether it is an accuracy, which is shown in percent if it is a fraction."""
        return self.name.endswith(ACCURACY)

    def gain(self, values: Numbers) -> Numbers:
        """Return numbers of which more is better: the values, or those of a cost negated."""
        return values if self.larger_is_better else -values

    def to_dict(self) -> dict[str, Any]:
        """Return what a search's settings have of it: nothing for validation accuracy."""
        described: dict[str, Any] = {} if self == Goal() else {"score": self.name}
        if self.unit:
            described["unit"] = self.unit
        if not self.larger_is_better:
            described["larger_is_better"] = False
        return described

    @classmethod
    def from_dict(cls, evaluator: dict[str, Any]) -> Goal:
        """Return the goal that the settings of a search's evaluator describe.

        Those of a task have the score alone, without ``validation``.
        """
        score, unit = evaluator.get("score"), evaluator.get("unit")
        if not isinstance(score, str):
            return cls()
        if evaluator.get("evaluator") == "measure":
            return cls.of_task(score)
        better = evaluator.get("larger_is_better") is not False
        return cls(score, unit if isinstance(unit, str) else "", better)
