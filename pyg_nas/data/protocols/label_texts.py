"""What reports and commands write about a label: its name, its unit and its substitutes."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pyg_nas.data.protocols.direction import UNIT_SPELLINGS
from pyg_nas.data.protocols.labels import SCORE, LabelPolicy
from pyg_nas.errors import listed

if TYPE_CHECKING:
    from pyg_nas.data.tables.sources import AnyTable

UNITS = "units"
"""Key of a table's ``about``: units of targets, by their names."""

UNITS_OF_PROFILES = {"latency": "s", "latency_spread": "s", "peak_memory": "bytes"}
"""Units of the targets of :func:`~pyg_nas.measure.profiles.profile.profile_networks`."""

# latency_ms, latency in ms, latency (ms), latency [ms]
_WITH_UNIT = re.compile(rf"(.+?)(?: in)? ?[ (\[]({'|'.join(UNIT_SPELLINGS)})[)\]]?")


def label_words(table: AnyTable, policy: LabelPolicy) -> str:
    """Return the name of a label in words, without its unit.

    The table of a task with another metric than accuracy has its name.
    """
    name, score = _name_and_unit(table, policy)[0], table.about.get(SCORE)
    is_own = policy.is_accuracy and isinstance(score, str)
    return name.replace("accuracy", str(score)) if is_own else name


def label_name(table: AnyTable, policy: LabelPolicy) -> str:
    """Return the name of a label in words, with its unit: training time, s."""
    name, unit = label_words(table, policy), label_unit(table, policy)
    return f"{name}, {unit}" if unit else name


def label_unit(table: AnyTable, policy: LabelPolicy) -> str:
    """Return the unit of a label: that of training time, of a profile's targets, or of the table's.

    It is empty if it is not known, and for fractions. A table has ``units`` of its targets, by
    their names, in its description; the name of a cost may end in its unit, as ``latency_ms`` or
    ``latency (ms)``.
    """
    return _name_and_unit(table, policy)[1]


def _name_and_unit(table: AnyTable, policy: LabelPolicy) -> tuple[str, str]:
    """Return the name of a label in words, without its unit, and the unit or an empty text."""
    name = policy.metric.replace("_", " ")
    if policy.metric == "training_time":
        return name, "s"
    units = table.about.get(UNITS, UNITS_OF_PROFILES if "reference_seconds" in table.about else {})
    unit = units.get(policy.metric) if isinstance(units, dict) else None
    if isinstance(unit, str):
        return name, unit
    return _split(policy)


def _split(policy: LabelPolicy) -> tuple[str, str]:
    """Return the name of a label in words, without a unit in which it ends, and that unit."""
    name = policy.metric.replace("_", " ")
    found = None if policy.larger_is_better else _WITH_UNIT.fullmatch(name)
    if found is None:
        return name, ""
    words, spelling = found.groups()
    return words, UNIT_SPELLINGS[spelling]


def label_sentence(policy: LabelPolicy, unit: str) -> str:
    """Return a policy in words with the unit of its label, unless that is empty or in the words."""
    return f"{policy}, in {unit}" if unit and unit != _split(policy)[1] else str(policy)


def missing_label(table: AnyTable, policy: LabelPolicy) -> str:
    """Return a sentence on a label that no cell has, with the targets that could be meant."""
    others = f"; its targets are {listed(table.targets)}" if table.targets else ""
    return f"no {table.thing} of the table has the label {policy}{others}"


def fallback_note(
    table: AnyTable, rows: NDArray[np.int64], policy: LabelPolicy, cells: str = "evaluated cells"
) -> str:
    """Return a sentence on the cells of ``rows`` ``[n]`` with a fallback label; empty without.

    Args:
        cells: What the cells of ``rows`` are, in words.
    """
    if not policy.resamples:
        return ""
    # Only substitutes change with the fallback, in scores of any range.
    low, high = (table.label(replace(policy, fallback=value))[rows] for value in (0.0, 1.0))
    marked = low < high
    if not marked.any():
        return ""
    return (
        f"{int(marked.sum()):,} of {len(rows):,} {cells} have no run above "
        f"{policy.resample_below}; their measured value is a substitute "
        f"({'the mean of the other cells' if policy.fallback is None else policy.fallback})."
    )
