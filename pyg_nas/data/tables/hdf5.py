"""Tables as HDF5: the only module that depends on the file layout.

The layout (``N`` cells, ``V`` vertices at most; NAS-Bench-101 has V = 7, B = 4, S = 3):

==========================  ========  =====================================================
dataset                     type      shape
==========================  ========  =====================================================
``hash``                    S32       ``[N]`` module hash
``num_vertices``            int8      ``[N]``
``trainable_parameters``    int32     ``[N]``, -1 if the space does not define them
``adjacency``               int8      ``[N, V, V]`` zero padded
``operations``              int8      ``[N, V]`` ids, zero padded
``metrics``                 float32   ``[N, B budgets, S runs, (halfway, end), 4 METRICS]``
``text``                    S         ``[N]`` text form of the row's architecture; optional
``targets/NAME``            float64   ``[N]`` further numbers, such as latencies; optional
==========================  ========  =====================================================

NaN means *not measured*. The attribute ``pyg_nas`` is a JSON object with the keys ``space``,
``budgets`` and ``about``; a file without it is of the default space at its official budgets.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.errors import SettingsError, TableError
from pyg_nas.graphs.registry import default_space
from pyg_nas.io.formats.hdf5 import (
    has_name,
    json_attribute,
    names_in,
    new_hdf5,
    open_hdf5,
    read_stored,
    stored_dataset,
    write_text_attribute,
)
from pyg_nas.io.limits import MOST_TABLE_BYTES

MOST_STORED = 127
"""Most vertices of a graph, and most operations of a space, that fit into int8 columns."""

# The type in which a column is read, the kinds of types that it may have in a file, its dimensions.
_DATASETS: dict[str, tuple[Any, str, int]] = {
    "hash": ("S32", "S", 1),
    "num_vertices": (np.int8, "iu", 1),
    "trainable_parameters": (np.int32, "iu", 1),
    "adjacency": (np.int8, "iub", 3),
    "operations": (np.int8, "iu", 2),
    "metrics": (np.float32, "f", 5),
}
_TEXT = "text"
_TARGETS = "targets"
_ATTRIBUTE = "pyg_nas"


def write_columns(
    path: str | os.PathLike[str],
    columns: dict[str, NDArray[Any]],
    targets: dict[str, NDArray[np.float64]],
    settings: dict[str, Any],
) -> None:
    """Write a table's datasets, its targets and its attribute, completely or not at all."""
    with new_hdf5(path) as file:
        for name in columns:
            file.create_dataset(name, data=columns[name], **_packing(columns[name]))
        for name, values in targets.items():
            file.create_dataset(f"{_TARGETS}/{name}", data=values, **_packing(values))
        write_text_attribute(file, _ATTRIBUTE, json.dumps(settings))


def read_columns(
    path: Path,
) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]], dict[str, Any]]:
    """Return a table's datasets, its targets and its attribute.

    Raises:
        TableError: If the file is missing, truncated or foreign, or lacks a dataset.
    """
    with open_hdf5(path, TableError) as file:
        try:
            own = [*_DATASETS, *([_TEXT] if has_name(file, _TEXT) else [])]
            further = names_in(file, _TARGETS)
            datasets = {name: stored_dataset(file, name) for name in [*own, *further]}
            for name, dataset in datasets.items():
                _check_column(name, dataset)
            _check_agreement(datasets)
            types = {name: _rule(name, dataset)[0] for name, dataset in datasets.items()}
            columns = read_stored(datasets, types, MOST_TABLE_BYTES)
            settings = json_attribute(file, _ATTRIBUTE)
        except (SettingsError, TableError) as error:
            raise TableError(f"{path}: not a table: {error}") from None
    targets = {name.removeprefix(f"{_TARGETS}/"): columns.pop(name) for name in further}
    return columns, targets, _settings(path, settings)


_CHUNK_BYTES = 2**19


def _rule(name: str, dataset: Any) -> tuple[np.dtype[Any], str, int]:
    """Return the rule of ``_DATASETS`` for a column, or the rule for texts or targets."""
    if name == _TEXT:
        return dataset.dtype, "S", 1
    wanted, kinds, dimensions = _DATASETS.get(name, (np.float64, "iuf", 1))
    return np.dtype(wanted), kinds, dimensions


def _packing(column: NDArray[Any]) -> dict[str, Any]:
    """Return how to store a column: chunks of whole cells, lightly compressed."""
    if not len(column):
        return {}  # HDF5 cannot chunk an empty dataset
    rows = max(1, _CHUNK_BYTES * len(column) // column.nbytes)
    return {
        "chunks": (min(rows, len(column)), *column.shape[1:]),
        "compression": "gzip",
        "compression_opts": 1,
        "shuffle": True,
    }


def _check_column(name: str, dataset: Any) -> None:
    wanted, kinds, dimensions = _rule(name, dataset)
    if dataset.dtype.kind not in kinds or dataset.ndim != dimensions:
        raise TableError(
            f"{name} must have {dimensions} dimensions and type {wanted}, got {dataset.shape} "
            f"{dataset.dtype}"
        )
    if name == "hash" and dataset.dtype.itemsize != 32:
        raise TableError(f"hash must be S32, got {dataset.dtype}")


def _check_agreement(datasets: dict[str, Any]) -> None:
    """Check that shapes agree."""
    total = len(datasets["hash"])
    for name, dataset in datasets.items():
        if len(dataset) != total:
            raise TableError(f"{name} has {len(dataset)} cells, hash has {total}")
    adjacency, operations = datasets["adjacency"].shape, datasets["operations"].shape
    if adjacency[1:] != (operations[1], operations[1]):
        raise TableError(
            f"adjacency must be [N, V, V] where operations are [N, V], got {list(adjacency)} and "
            f"{list(operations)}"
        )


def _settings(path: Path, settings: Any) -> dict[str, Any]:
    if settings is None:
        space = default_space()
        return {"space": space.to_dict(), "budgets": space.support.budgets, "about": {}}
    if not isinstance(settings, dict) or not {"space", "budgets", "about"} <= set(settings):
        raise TableError(f"{path}: attribute {_ATTRIBUTE!r} needs the keys space, budgets, about")
    budgets = settings["budgets"]
    whole = isinstance(budgets, list) and all(type(b) is int for b in budgets)
    if not whole or not isinstance(settings["about"], dict):
        raise TableError(
            f"{path}: attribute {_ATTRIBUTE!r}: budgets must be a list of whole numbers and "
            f"about an object"
        )
    return settings
