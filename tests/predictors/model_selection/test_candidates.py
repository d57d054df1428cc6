"""Grids by hand, and widths against the paper's."""

from __future__ import annotations

import json

import pytest

from pyg_nas.errors import SettingsError
from pyg_nas.predictors.model_selection.candidates import (
    check_candidates,
    read_grid,
    width_candidates,
)
from pyg_nas.predictors.recipes import make_estimator


def test_grids() -> None:
    assert read_grid({"a": [1, 2], "b": ["x", "y"]}) == [
        {"a": 1, "b": "x"},
        {"a": 1, "b": "y"},
        {"a": 2, "b": "x"},
        {"a": 2, "b": "y"},
    ]
    assert read_grid({"a": [1, 2, 3], "b": [7, 8]})[:3] == [
        {"a": 1, "b": 7},
        {"a": 1, "b": 8},
        {"a": 2, "b": 7},
    ]
    assert read_grid(json.loads('[{"a": 3}, {"a": 1}]')) == [{"a": 3}, {"a": 1}]
    for wrong in ([], {}, {"a": 1}, {"a": []}, [1], "a", None):
        with pytest.raises(SettingsError, match="grid"):
            read_grid(wrong)
    with pytest.raises(SettingsError, match=r"a grid of 10,201 candidates; at most 10,000"):
        read_grid({"a": [*range(101)], "b": [*range(101)]})


def test_every_network_of_an_estimator_takes_the_same_width() -> None:
    two_stage = width_candidates("two-stage")
    assert {len(candidate) for candidate in two_stage} == {2}
    for candidate in two_stage:
        assert len(set(candidate.values())) == 1
    assert [candidate["hidden"] for candidate in width_candidates("paper")] == [
        48,
        72,
        96,
        144,
        210,
        320,
    ]
    check_candidates(make_estimator("two-stage"), two_stage)
    with pytest.raises(SettingsError, match="no network"):
        width_candidates("fast")
