"""Checks that a processed file can restore graphs, and the graphs' classes by name."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch_geometric.data import Batch, Data, HeteroData
from torch_geometric.data.data import BaseData

from pyg_nas.errors import TableError

_RULE = (
    "a Data or HeteroData, or one of a class derived from them at the top level of a module that "
    "can be created without arguments"
)


def full_name(kind: Any) -> str:
    """Return the module and qualified name of a class or function."""
    return f"{kind.__module__}.{kind.__qualname__}"


def find_class(name: str) -> type[BaseData]:
    """Return a graph class by :func:`full_name`; no module is imported.

    Raises:
        KeyError: If no loaded module has a graph class of that name.
    """
    parts = name.split(".")
    for cut in range(1, len(parts)):
        found: Any = sys.modules.get(".".join(parts[:cut]))
        for part in parts[cut:]:
            found = getattr(found, part, None)
        if isinstance(found, type) and issubclass(found, (Data, HeteroData)):
            return found
    raise KeyError(name)


def is_true(answer: object) -> bool:
    """Return the checked result of ``pre_filter``.

    Raises:
        TableError: If it is neither true nor false.
    """
    one = isinstance(answer, torch.Tensor) and answer.numel() == 1
    if not one and not isinstance(answer, (bool, int, np.bool_, np.integer)):
        raise TableError(
            f"pre_filter must return True or False, it returned a {full_name(type(answer))}"
        )
    return bool(answer)


def check_graph(graph: object, first: Any) -> None:
    """Check a result of ``pre_transform`` and compare it with the one for the first graph.

    Raises:
        TableError: If a processed file could not restore it.
    """
    kind = type(graph)
    name = full_name(kind)
    restorable = isinstance(graph, (Data, HeteroData)) and not isinstance(graph, Batch)
    try:
        restorable = restorable and find_class(name) is kind and type(kind()) is kind
    except Exception:  # a class may raise anything without its arguments
        restorable = False
    if not restorable:
        raise TableError(f"pre_transform must return {_RULE}; it returned a {name}")
    if kind is not type(first):
        raise TableError(
            f"pre_transform must return graphs of one class, it returned a "
            f"{full_name(type(first))} and a {name}"
        )
    wanted, got = _attributes(first) - {"row"}, _attributes(graph) - {"row"}
    if wanted != got:
        raise TableError(
            f"pre_transform must set the same attributes in all graphs; only some have "
            f"{', '.join(sorted(wanted ^ got))}"
        )


def check_storable(data: BaseData) -> None:
    """Check that a processed file can restore every attribute of collated graphs.

    Raises:
        TableError: If ``pre_transform`` set an attribute that is not a tensor, number or string.
    """
    wrong = []
    for store in data.stores:
        for name, value in store.items():
            stored = io.BytesIO()
            try:
                torch.save(value, stored)
                stored.seek(0)
                torch.load(stored, weights_only=True)
            except Exception:  # pickling may raise anything
                each = value[0] if isinstance(value, list) and value else value
                wrong.append(f"{name!r} ({full_name(type(each))})")
    if wrong:
        raise TableError(
            f"pre_transform may set tensors, numbers and strings, it sets {', '.join(wrong)}; "
            f"torch.from_numpy makes a tensor of an array"
        )


def shapes_that_differ(graphs: Sequence[Any]) -> list[str]:
    """Return the names of tensors that PyG cannot join, each with two of its shapes."""
    shapes: dict[str, dict[tuple[int, ...], list[int]]] = {}
    for graph in graphs:
        for store in graph.stores:
            for name, value in store.items():
                if isinstance(value, torch.Tensor) and value.layout == torch.strided:
                    rest, joined = list(value.shape), graph.__cat_dim__(name, value, store)
                    if joined is not None and rest:
                        del rest[joined]
                    shapes.setdefault(name, {}).setdefault(tuple(rest), list(value.shape))
    differ = {name: list(found.values()) for name, found in shapes.items() if len(found) > 1}
    return [f"{name!r} {found[0]} and {found[1]}" for name, found in differ.items()]


def plain_dict(slices: Any) -> Any:
    """Return PyG's slices without its ``defaultdict``, which only unpickling could restore."""
    if isinstance(slices, Mapping):
        return {key: plain_dict(value) for key, value in slices.items()}
    return slices


def _attributes(graph: Any) -> set[str]:
    return {
        name if store._key is None else f"{name} of {store._key}"
        for store in graph.stores
        for name in store
    }
