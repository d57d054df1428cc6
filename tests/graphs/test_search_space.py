from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from pyg_nas.errors import PygNasError, SpaceError
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.spaces.nasbench101 import NASBENCH101


def test_nasbench101_has_the_ids_of_its_files() -> None:
    assert NASBENCH101.encode(
        ["input", "conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3", "output"]
    ) == [-1, 0, 1, 2, -2]
    assert NASBENCH101.num_columns == 5
    assert NASBENCH101.first_id == -2
    assert NASBENCH101.vocabulary[NASBENCH101.input_id - NASBENCH101.first_id] == "input"
    assert NASBENCH101.vocabulary[NASBENCH101.output_id - NASBENCH101.first_id] == "output"


def test_decode_is_the_inverse_of_encode() -> None:
    ids = [-2, -1, 0, 1, 2]
    assert NASBENCH101.encode(NASBENCH101.decode(ids)) == ids
    assert NASBENCH101.encode(np.array(ids, dtype=np.int8)) == ids


@pytest.mark.parametrize(
    "operation", ["conv5x5", "", 3, -3, 0.5, True, None, float("nan"), 10**30, b"0", [0]]
)
def test_an_unknown_operation_is_named(operation: Any) -> None:
    with pytest.raises(SpaceError, match="at vertex 1 is not in space 'nasbench101'"):
        NASBENCH101.encode(["input", operation, "output"])


def test_a_space_without_terminals_starts_at_zero() -> None:
    space = SearchSpace("plain", ("a", "b"), max_vertices=9, max_edges=20)
    assert space.vocabulary == ("a", "b")
    assert space.first_id == 0
    assert space.encode(["b", "a", 1]) == [1, 0, 1]


def test_a_description_goes_through_json() -> None:
    description = json.loads(json.dumps(NASBENCH101.to_dict()))
    assert SearchSpace.from_dict(description) == NASBENCH101


@pytest.mark.parametrize(
    "change",
    [
        {"operations": []},
        {"operations": ["a", "a"]},
        {"operations": ["a", ""]},
        {"operations": ["a", 1]},
        {"operations": "ab"},
        {"operations": [["a"]]},
        {"operations": ["output"]},
        {"max_vertices": 1},
        {"max_vertices": 7.0},
        {"max_vertices": "7"},
        {"max_vertices": True},
        {"max_edges": -1},
        {"max_edges": None},
        {"terminals": ["output"]},
        {"terminals": None},
        {"name": 3},
        {"unknown": 1},
    ],
)
def test_an_invalid_description_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(SpaceError):
        SearchSpace.from_dict({**NASBENCH101.to_dict(), **change})


@pytest.mark.parametrize("description", [None, [], "nasbench101", {"name": "x"}])
def test_something_else_than_a_description_is_refused(description: Any) -> None:
    with pytest.raises(PygNasError):
        SearchSpace.from_dict(description)
