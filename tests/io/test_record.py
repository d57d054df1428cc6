"""Dataclasses whose fields are checked by their rules."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import numpy as np
import pytest
from pydantic import PositiveInt

from pyg_nas.errors import ModelError, SettingsError
from pyg_nas.io.record import Rule, check_fields, checked_value, record_from_dict


@dataclass(frozen=True)
class Size:
    width: Annotated[PositiveInt, Rule("a whole number >= 1")]
    scale: Annotated[float | None, Rule("a finite number")] = None
    name: str = "x"

    def __post_init__(self) -> None:
        check_fields(self, "size")


def test_values_are_kept_as_they_are() -> None:
    assert record_from_dict(Size, {"width": 3, "scale": 2}, "a size") == Size(3, 2)
    assert type(Size(3, 2).scale) is int


def test_scalars_of_numpy_become_numbers_that_json_has() -> None:
    size = Size(np.int64(3), np.float32(0.5), np.str_("y"))
    assert json.loads(json.dumps(asdict(size))) == {"width": 3, "scale": 0.5, "name": "y"}
    with pytest.raises(SettingsError, match="size width 0 must be a whole number >= 1"):
        Size(np.int64(0))
    with pytest.raises(SettingsError, match="size width True must be"):
        Size(np.True_)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"width": 0}, "size width 0 must be a whole number >= 1"),
        ({"width": True}, "size width True must be"),
        ({"width": "3"}, "size width '3' must be"),
        ({"width": 3.0}, r"size width 3\.0 must be"),
        ({"width": 1, "scale": float("inf")}, "size scale inf must be a finite number"),
        ({"width": 1, "scale": float("nan")}, "size scale nan must be a finite number"),
        ({"width": 1, "scale": "2"}, "size scale '2' must be a finite number"),
        ({"width": 1, "scale": False}, "size scale False must be a finite number"),
        ({"width": 1, "name": 3}, "size name 3: Input should be a valid string"),
        ({"width": 1, "depth": 3, "a": 1}, "unknown keys in a size: a, depth"),
        ({}, "a size needs the keys width"),
        ([1], "a size must be a JSON object"),
        (None, "a size must be a JSON object, got None"),
    ],
)
def test_what_breaks_a_rule_is_named(values: Any, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        record_from_dict(Size, values, "a size")


def test_json_values_of_a_type() -> None:
    assert checked_value(dict[str, Size], {"a": {"width": 3}}, "sizes") == {"a": Size(3)}
    assert checked_value(tuple[int, int], [1, 2], "pair") == (1, 2)
    with pytest.raises(
        ModelError, match=r"pair\[1\] is not valid, got True: Input should be a valid"
    ):
        checked_value(tuple[int, int], [1, True], "pair", ModelError)
    many = {str(width): {"width": width} for width in range(1, 100)}
    with pytest.raises(SettingsError, match=r"sizes\['70'\]\['width'\] is not valid, got None: "):
        checked_value(dict[str, Size], {**many, "70": {"width": None}}, "sizes")
