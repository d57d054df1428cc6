"""Graph classes by name, and what a processed file can restore."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch
from torch_geometric.data import Data, HeteroData

from pyg_nas.data.datasets.graph_class import check_storable, find_class, full_name, plain_dict
from pyg_nas.errors import TableError


class Outer:
    class Inner(Data):
        pass


@pytest.mark.parametrize("kind", [Data, HeteroData, Outer.Inner])
def test_a_loaded_class_is_found_by_its_name(kind: type) -> None:
    assert find_class(full_name(kind)) is kind


@pytest.mark.parametrize(
    "name", ["os.system", "builtins.dict", "onnx.Own", "Data", "", "torch_geometric.data.Batch.x"]
)
def test_nothing_else_is_found_and_nothing_imported(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "onnx", raising=False)
    with pytest.raises(KeyError):
        find_class(name)
    assert "onnx" not in sys.modules


def test_attributes_of_every_store_are_checked() -> None:
    data: Any = HeteroData()
    data["op"].x = torch.zeros(2)
    check_storable(data)
    data["op"].callback = print
    with pytest.raises(TableError, match=r"it sets 'callback' \(builtins\.builtin_function"):
        check_storable(data)


def test_slices_become_plain_dictionaries_at_every_depth() -> None:
    from collections import defaultdict

    slices = defaultdict(dict, {"op": defaultdict(dict, x=torch.arange(3))})
    plain = plain_dict(slices)
    assert type(plain) is type(plain["op"]) is dict
    assert plain["op"]["x"].tolist() == [0, 1, 2]
    assert plain_dict(None) is None
