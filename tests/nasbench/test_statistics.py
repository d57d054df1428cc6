"""Containers that raise where a change would be lost."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from pyg_nas.nasbench.statistics import (
    Metrics,
    NotMeasuredError,
    ReadOnlyDict,
    ReadOnlyList,
    ReadOnlyMetrics,
)

LIST_CHANGES: list[Callable[[Any], Any]] = [
    lambda x: x.append(1),
    lambda x: x.extend([1]),
    lambda x: x.insert(0, 1),
    lambda x: x.remove(2),
    lambda x: x.pop(),
    lambda x: x.clear(),
    lambda x: x.sort(),
    lambda x: x.reverse(),
    lambda x: x.__setitem__(0, 1),
    lambda x: x.__setitem__(slice(0, 1), [1]),
    lambda x: x.__delitem__(0),
    lambda x: x.__iadd__([1]),
    lambda x: x.__imul__(2),
]
DICT_CHANGES: list[Callable[[Any], Any]] = [
    lambda x: x.__setitem__("a", 1),
    lambda x: x.__delitem__("a"),
    lambda x: x.update(a=1),
    lambda x: x.setdefault("b", 1),
    lambda x: x.pop("a"),
    lambda x: x.popitem(),
    lambda x: x.clear(),
    lambda x: x.__ior__({"a": 1}),
]


@pytest.mark.parametrize("change", LIST_CHANGES)
def test_lists_refuse_every_change(change: Callable[[Any], Any]) -> None:
    values = ReadOnlyList([3, 2])
    with pytest.raises(TypeError, match="cannot be changed"):
        change(values)
    assert values == [3, 2]


@pytest.mark.parametrize("change", DICT_CHANGES)
@pytest.mark.parametrize("kind", [ReadOnlyDict, ReadOnlyMetrics])
def test_dictionaries_refuse_every_change(kind: Any, change: Callable[[Any], Any]) -> None:
    values = kind(a=5)
    with pytest.raises(TypeError, match="cannot be changed"):
        change(values)
    assert values == {"a": 5}


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_copies_are_the_plain_containers(copied: Callable[[Any], Any]) -> None:
    assert type(copied(ReadOnlyList([1]))) is list
    assert type(copied(ReadOnlyDict(a=1))) is dict
    metrics = copied(ReadOnlyMetrics(a=1))
    assert type(metrics) is Metrics
    metrics["b"] = 2
    with pytest.raises(NotMeasuredError, match="'c' is not measured here; measured: a, b"):
        metrics["c"]
    assert json.dumps(ReadOnlyDict(a=ReadOnlyList([1]))) == '{"a": [1]}'
