"""Tables of whole networks: graphs with measured numbers, as one HDF5 file.

The layout (``N`` networks with ``V`` vertices and ``E`` edges altogether):

=========================  =======  ================================================================
dataset                    type     shape
=========================  =======  ================================================================
``networks/ARRAY``                  the arrays of
                                    :class:`~pyg_nas.spaces.modules.network_array.NetworkArray`
``names``                  S        ``[N]`` name of each network, UTF-8
``targets/NAME``           float64  ``[N]`` measured numbers, NaN where not measured
=========================  =======  ================================================================

The attribute ``pyg_nas`` is a JSON object with the keys ``format`` and ``about``. In format 1
operations in place have no bytes that they write, and views have bytes that they read.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyg_nas.data.protocols.labels import LabelPolicy
from pyg_nas.data.tables.targets import checked_targets
from pyg_nas.errors import SettingsError, TableError, listed, quoted
from pyg_nas.graphs.row_index import GraphTable, row_numbers
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.io.formats.csv_rows import write_csv
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
from pyg_nas.io.text import counted
from pyg_nas.spaces.modules.moved_bytes import SELECTIONS
from pyg_nas.spaces.modules.network_array import NetworkArray
from pyg_nas.spaces.modules.network_graph import ATTRIBUTES
from pyg_nas.spaces.modules.space import NETWORKS
from pyg_nas.spaces.modules.vocabulary import NUM_COLUMNS, column

if TYPE_CHECKING:
    import pandas as pd

FORMAT = 2
GROUP = "networks"
"""Group that distinguishes a table of networks from a table of cells."""

_TYPES: dict[str, Any] = {
    "columns": np.uint8,
    "attributes": np.float32,
    "vertex_ptr": np.int64,
    "edges": np.int64,
    "edge_ptr": np.int64,
    "parameters": np.int64,
    "macs": np.int64,
    "hashes": "S64",
}
_VIEWS = ("reshape", "transpose", "split", "slice", "dropout", "repeat", "cast")  # in format 1
_FIRST_LABELS = ("accuracy", "validation_accuracy", "latency")
_OWN = ("parameters", "macs")


class NetworkTable(GraphTable):
    """``N`` whole networks with measured numbers, such as latencies or accuracies.

    Args:
        networks: Their graphs.
        names: Their names; what is no Unicode text in them is written as its code, ``\\udcff``.
        targets: Numbers by name, ``[N]`` each, NaN where not measured. ``parameters`` and ``macs``
            are labels too, and are those of the graphs.
        about: How they were measured (JSON values).

    Raises:
        TableError: If names or targets are not ``[N]``, or a target is infinite or has the name of
            a number of the graphs.
    """

    thing: ClassVar = "network"
    """What a row is, in words for users."""

    space: ClassVar[SearchSpace] = NETWORKS
    """The vocabulary of whole networks."""

    def __init__(
        self,
        networks: NetworkArray,
        names: Sequence[str],
        targets: Mapping[str, ArrayLike] | None = None,
        about: Mapping[str, Any] | None = None,
    ) -> None:
        self.networks = networks
        self.cells: NetworkArray = networks  # for code that takes tables of cells too
        # A file's name may have bytes that are no text; tables are written as text.
        self.names = tuple(name.encode("utf-8", "backslashreplace").decode() for name in names)
        self.about = dict(about or {})
        self.source = "the table"
        if len(self.names) != len(networks):
            raise TableError(f"names must be [{len(networks)}], got [{len(self.names)}]")
        self.targets = checked_targets(targets, len(networks), _OWN)

    @property
    def hashes(self) -> NDArray[np.bytes_]:
        """Hash of each graph, ``S64 [N]``."""
        return self.networks.hashes

    @property
    def default_label(self) -> LabelPolicy:
        """The label that is used if none is named: an accuracy, a latency, or the first target."""
        metric = next((name for name in _FIRST_LABELS if name in self.targets), None)
        metric = metric or next(iter(self.targets), "parameters")
        return LabelPolicy(metric=metric, run=None, resample_below=None)

    def label(self, policy: LabelPolicy | None = None) -> NDArray[np.float64]:
        """Return one label per network, ``[N]``, NaN where not measured.

        Raises:
            SettingsError: If the table lacks the label.
        """
        metric = (policy or self.default_label).metric
        if metric in _OWN:
            return np.asarray(getattr(self.networks, metric), dtype=np.float64)
        if metric not in self.targets:
            raise SettingsError(
                f"{metric!r} is not in the table, it has {listed([*self.targets, *_OWN])}"
            )
        values: NDArray[np.float64] = np.array(self.targets[metric])
        return values

    def raw_accuracy(self, policy: LabelPolicy | None = None) -> NDArray[np.float64]:
        """Return the numbers ``[N]`` that thresholds of splits refer to.

        They are the label, or of a cost, the default label.

        Raises:
            SettingsError: If both are costs.
        """
        policy = policy or self.default_label
        gain = policy if policy.larger_is_better else self.default_label
        if not gain.larger_is_better:
            raise SettingsError(
                f"splits above a percentage need accuracies, {policy.metric!r} is a cost"
            )
        return self.label(gain)

    def __repr__(self) -> str:
        targets = ", ".join(self.targets) or "none"
        return f"NetworkTable({counted(len(self), 'network')}, targets {targets})"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the table, completely or not at all."""
        arrays = {
            f"{GROUP}/{field.name}": getattr(self.networks, field.name)
            for field in fields(NetworkArray)
        }
        arrays["names"] = np.array([name.encode() for name in self.names])
        arrays |= {f"targets/{name}": values for name, values in self.targets.items()}
        with new_hdf5(path) as file:
            for name, array in arrays.items():
                file.create_dataset(name, data=array, **(_PACKING if array.size else {}))
            text = json.dumps({"format": FORMAT, "about": self.about}, allow_nan=False)
            write_text_attribute(file, "pyg_nas", text)

    def write_csv(self, path: str | os.PathLike[str]) -> None:
        """Write names, hashes, targets, parameters and MACs as CSV; empty where not measured."""
        columns = self._columns()
        rows = zip(*(np.asarray(c, dtype=object).tolist() for c in columns.values()), strict=True)
        # Of all values only NaN differs from itself.
        write_csv(path, columns, (["" if v != v else v for v in row] for row in rows))

    def to_pandas(self) -> pd.DataFrame:
        """Return the columns of :meth:`write_csv` as a data frame, NaN where not measured.

        Raises:
            SettingsError: If pandas is not installed.
        """
        from pyg_nas.data.tables.frames import pandas_module

        return pandas_module().DataFrame(self._columns())

    def _columns(self) -> dict[str, Sequence[str] | NDArray[Any]]:
        hashes = [digest.decode() for digest in self.hashes.tolist()]
        own = {name: getattr(self.networks, name) for name in _OWN}
        return {"name": self.names, "hash": hashes, **self.targets, **own}

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> NetworkTable:
        """Read a table.

        Raises:
            TableError: If the file is missing, truncated or foreign, or its arrays disagree.
        """
        path = Path(path)
        with open_hdf5(path, TableError) as file:
            try:
                further = names_in(file, "targets")
                read = _read(file, further)
                arrays = {name: read[f"{GROUP}/{name}"] for name in _TYPES}
                names = read["names"]
                targets = {name.removeprefix("targets/"): read[name] for name in further}
                settings = json_attribute(file, "pyg_nas")
                _check(arrays, names)
                if not isinstance(settings, dict) or settings.get("format") not in (1, FORMAT):
                    raise TableError(f"attribute 'pyg_nas' must have the format 1 or {FORMAT}")
                if not isinstance(settings.get("about"), dict):
                    raise TableError("attribute 'pyg_nas' must have an object 'about'")
                if settings["format"] == 1:
                    _correct_bytes(arrays["columns"], arrays["attributes"])
                texts = [name.decode() for name in names.tolist()]
                table = cls(NetworkArray(**arrays), texts, targets, settings["about"])
            except (SettingsError, TableError, UnicodeDecodeError) as error:
                raise TableError(f"{path}: not a table of networks: {error}") from None
        table.source = str(path)
        return table

    def subset(self, rows: NDArray[Any] | slice | Sequence[int]) -> NetworkTable:
        """Return the table of some rows (indices, a slice or a mask), in the order given."""
        rows = row_numbers(rows, len(self))
        return NetworkTable(
            self.networks.select(rows),
            [self.names[row] for row in rows.tolist()],
            {name: values[rows] for name, values in self.targets.items()},
            self.about,
        )


_HASH = re.compile(rb"[0-9a-f]{1,64}")
_PACKING = {"compression": "gzip", "compression_opts": 9, "shuffle": True}


def is_network_table(path: str | os.PathLike[str]) -> bool:
    """Return whether an HDF5 file is a table of networks.

    Raises:
        TableError: If it is not a readable HDF5 file.
    """
    with open_hdf5(path, TableError) as file:
        return has_name(file, GROUP)


def _read(file: Any, targets: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Return all datasets of a table in their types."""
    wanted = {f"{GROUP}/{name}": np.dtype(kind) for name, kind in _TYPES.items()}
    wanted |= {"names": np.dtype("S"), **dict.fromkeys(targets, np.dtype(np.float64))}
    datasets = {name: stored_dataset(file, name) for name in wanted}
    for name, dataset in datasets.items():
        kinds = {"i": "iu", "u": "iu", "f": "iuf"}.get(wanted[name].kind, "S")
        if dataset.dtype.kind not in kinds:
            raise TableError(f"{name} must have the type {wanted[name]}, got {dataset.dtype}")
    wanted["names"] = datasets["names"].dtype  # of any length
    return read_stored(datasets, wanted, MOST_TABLE_BYTES)


def _correct_bytes(columns: NDArray[np.uint8], attributes: NDArray[np.float32]) -> None:
    """Correct the bytes ``[V, 12]`` of views, selections and operations in place of format 1.

    Indices of a selection, and assignments to a part of a tensor, are not known any more: the
    indices are left out, and the part is the tensor.
    """
    read, written, size, number = (
        attributes[:, ATTRIBUTES.index(name)]
        for name in (
            "log bytes read",
            "log bytes written",
            "log size of the result",
            "bytes of a number",
        )
    )
    computes = columns >= len(NETWORKS.terminals)
    view = (written == 0) & np.isin(columns, [column(name) for name in _VIEWS])
    in_place = (written == 0) & computes & ~view
    written[in_place] = np.log1p(np.expm1(size) * number)[in_place]
    part = np.isin(columns, [column(name) for name in SELECTIONS])
    read[part] = np.minimum(read, written)[part]
    read[view] = 0


def _check(arrays: dict[str, NDArray[Any]], names: NDArray[np.bytes_]) -> None:
    """Check that the arrays describe graphs: shapes, hashes, pointers, columns and edges."""
    hashes = arrays["hashes"]
    count = hashes.shape[0] if hashes.ndim else 0
    one_each = {name: arrays[name] for name in ("hashes", "parameters", "macs")}
    for name, values in {**one_each, "names": names}.items():
        if values.shape != (count,):
            raise TableError(f"{name} must be [{count}], got {list(values.shape)}")
        if values.dtype.kind == "i" and (values < 0).any():
            raise TableError(f"{name} must be at least 0, got {values.min()}")
    wrong = next((digest for digest in hashes.tolist() if not _HASH.fullmatch(digest)), None)
    if wrong is not None:
        raise TableError(f"hashes must be hexadecimal digits, got {quoted(wrong)}")
    vertices, edges = arrays["columns"].shape, arrays["edges"].shape
    if len(vertices) != 1 or arrays["attributes"].shape != (vertices[0], len(ATTRIBUTES)):
        raise TableError(f"attributes must be [vertices, {len(ATTRIBUTES)}]")
    if len(edges) != 2 or edges[0] != 2:
        raise TableError(f"edges must be [2, E], got {list(edges)}")
    for name, total, least in (("vertex_ptr", vertices[0], 1), ("edge_ptr", edges[1], 0)):
        ptr = arrays[name]
        ends = ptr.shape == (count + 1,) and ptr[0] == 0 and ptr[-1] == total
        # The differences of numbers outside this range may overflow.
        within = ends and ptr.min() == 0 and ptr.max() == total
        if not within or (np.diff(ptr) < least).any():
            raise TableError(
                f"{name} must rise from 0 to {total} in {count} steps of at least {least}"
            )
    attributes = arrays["attributes"]
    if not np.isfinite(attributes).all() or (attributes < 0).any():
        raise TableError("attributes must be finite numbers from 0 on")
    if (arrays["columns"] >= NUM_COLUMNS).any():
        raise TableError(f"columns must be below {NUM_COLUMNS}, got {arrays['columns'].max()}")
    sizes = np.repeat(np.diff(arrays["vertex_ptr"]), np.diff(arrays["edge_ptr"]))
    source, target = arrays["edges"]
    if ((source < 0) | (source >= target) | (target >= sizes)).any():
        raise TableError("edges must lead from a vertex to a later one of the same graph")
