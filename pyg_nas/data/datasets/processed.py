"""Base class of the datasets: one processed file, named by a digest of all that it depends on."""

from __future__ import annotations

import hashlib
import os
import pickle
from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch_geometric.data import Data, InMemoryDataset, OnDiskDataset
from torch_geometric.data.separate import separate

from pyg_nas.data.datasets.graph_class import (
    check_graph,
    check_storable,
    find_class,
    full_name,
    is_true,
    plain_dict,
    shapes_that_differ,
)
from pyg_nas.data.datasets.transform_digest import describe
from pyg_nas.errors import TableError
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.row_index import without_ellipsis
from pyg_nas.io.files import atomic_path, remove_abandoned
from pyg_nas.io.regular_files import check_regular
from pyg_nas.spaces.modules.network_array import NetworkArray

Graphs = TypeVar("Graphs", CellArray, NetworkArray)


class ProcessedDataset(InMemoryDataset):  # type: ignore[misc]
    """An ``InMemoryDataset`` with one processed file that is written whole and never unpickled.

    A damaged processed file is made again, and several processes may share one ``root``. Every
    graph has its ``row``, int64 ``[1]``, by which a part or a copy of the dataset finds further
    attributes of its graphs. Arguments: see :class:`~pyg_nas.data.datasets.dataset.CellDataset`.

    A subclass names the file (``processed_file_names``) and implements three methods.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        transform: Callable[[Data], Any] | None,
        pre_transform: Callable[[Data], Data] | None,
        pre_filter: Callable[[Data], bool] | None,
        force_reload: bool,
    ) -> None:
        super().__init__(
            os.fspath(root), transform, pre_transform, pre_filter, force_reload=force_reload
        )
        path = Path(self.processed_paths[0])
        try:
            self._load_processed(path)
        except _DAMAGED:
            self.process()
            self._load_processed(path)

    @abstractmethod
    def _collated_source(self) -> tuple[Data, dict[str, torch.Tensor]]:
        """Return the collated graphs of the source, ``row`` among their attributes."""

    @abstractmethod
    def _row_attributes(self, rows: NDArray[np.int64]) -> dict[str, Any]:
        """Return further tensors and texts of the graphs in ``rows`` to store."""

    @abstractmethod
    def _restore(self, content: dict[str, Any]) -> None:
        """Set attributes from what :meth:`_row_attributes` returned."""

    @property
    def _rows(self) -> NDArray[np.int64]:
        """Positions of the graphs of this dataset, or part of one, in the processed file."""
        # Of PyG's methods some make a part by its indices and some copy graphs: the rows, an
        # attribute of the graphs, are what all of them keep.
        return self._positions(slice(None) if self._indices is None else list(self._indices))

    def _own(self, processed: Graphs) -> Graphs:
        """Return the graphs of this dataset among those of the processed file."""
        rows = self._rows
        return processed if np.array_equal(rows, np.arange(len(processed))) else processed[rows]

    def _positions(self, index: Any) -> NDArray[np.int64]:
        """Return the positions in the processed file of graphs of ``data``.

        Raises:
            TableError: If a graph's row was deleted, or changed to one that the file lacks.
        """
        if "row" not in self._data:
            raise TableError("the graphs have no attribute row, by which their cells are found")
        rows = self._data["row"][index].numpy(force=True)
        known = self._processed_rows
        found = np.searchsorted(known, rows)
        wrong = known[np.minimum(found, len(known) - 1)] != rows
        if wrong.any():
            raise TableError(
                f"row {rows[wrong][0]} of a graph is not a row of the dataset's source"
            )
        return np.asarray(found)

    @property
    def raw_file_names(self) -> list[str]:
        """No files, unless a subclass names its source."""
        return []

    @property
    def shape(self) -> tuple[int, int]:
        """``(N, 1)``: for scikit-learn a graph is one sample with one feature."""
        return len(self), 1

    def index_select(self, idx: Any) -> Any:
        """Return the dataset of some graphs: their numbers, a slice or a mask.

        Raises:
            TableError: If a mask has not one value for each graph.
        """
        idx = without_ellipsis(idx)
        if isinstance(idx, list) and idx and set(map(type, idx)) <= {bool, np.bool_}:
            idx = np.array(idx)  # PyG takes it for numbers 0 and 1
        if getattr(idx, "dtype", None) in (torch.bool, np.bool_) and len(idx) != len(self):
            raise TableError(
                f"a mask must have one value for each of the {len(self)} graphs, it has {len(idx)}"
            )
        return super().index_select(idx)

    def to_on_disk_dataset(
        self, root: str | None = None, backend: str = "sqlite", log: bool = True
    ) -> OnDiskDataset:
        """Return PyG's on-disk form; a graph's ``row`` identifies its source.

        Args:
            root: Folder of the database; by default one whose name depends on all of its graphs.
            backend: ``sqlite`` or ``rocksdb``.
            log: Whether to show the progress.

        Raises:
            TableError: If the graphs are of another class than :obj:`Data`, which PyG would put
                in its place, or if the folder has a database of other graphs.
        """
        if type(self._data) is not Data:
            raise TableError(
                f"an on-disk dataset restores every graph as Data, these are "
                f"{full_name(type(self._data))}"
            )
        if root is None:
            content = [self._data.to_dict(), self.slices, np.array(self.indices())]
            digest = hashlib.sha256(describe(content).encode()).hexdigest()[:32]
            root = str(Path(self.root) / "on_disk" / digest)
        stored = super().to_on_disk_dataset(root, backend, log)
        # PyG opens an existing database without a check.
        rows = self.indices()
        ends = {0, len(self) - 1} if len(self) else ()
        same = len(stored) == len(self) and all(
            _content(stored.get(i)) == _content(self.get(rows[i])) for i in ends
        )
        if not same:
            raise TableError(f"{root}: has a database of other graphs, delete it or name another")
        return stored

    def process(self) -> None:
        """Collate the source and write the processed file, completely or not at all."""
        data, slices = self._collated_source()
        rows = np.arange(len(data["row"]))
        if self.pre_filter is not None or self.pre_transform is not None:
            data, slices, rows = self._pre_process(data, slices, len(rows))
        content = {
            "class": full_name(type(data)),
            "data": data.to_dict(),
            "slices": slices,
            "rows": torch.from_numpy(rows),
            **self._row_attributes(rows),
        }
        with atomic_path(self.processed_paths[0]) as temporary:
            torch.save(content, temporary)

    def _process(self) -> None:
        # PyG writes the transforms' names to two files for the whole folder, which concurrent
        # processes can read half-written; here the digest represents the transforms.
        path = Path(self.processed_paths[0])
        if self.force_reload or not path.exists():
            self.process()
        else:
            remove_abandoned(path)  # of a process that was killed while another one wrote the file

    def _pre_process(
        self, data: Data, slices: dict[str, torch.Tensor], total: int
    ) -> tuple[Data, Any, NDArray[np.int64]]:
        """Filter and transform graph by graph."""
        chosen: list[Data] = []
        kept: list[int] = []
        for index in range(total):
            graph = separate(Data, data, index, slices, decrement=False)
            if self.pre_filter is not None and not is_true(self.pre_filter(graph)):
                continue
            if self.pre_transform is not None:
                graph = self.pre_transform(graph)
                check_graph(graph, chosen[0] if chosen else graph)
                graph["row"] = torch.tensor([index])
            chosen.append(graph)
            kept.append(index)
        if not chosen:
            raise TableError(f"pre_filter keeps none of the {total} graphs")
        try:
            collated, new_slices = self.collate(chosen)
        except RuntimeError:
            differ = shapes_that_differ(chosen)
            if not differ:
                raise
            raise TableError(
                f"pre_transform must set tensors of one shape in all graphs, except in the "
                f"dimension along which PyG joins them (__cat_dim__); it sets {', '.join(differ)}"
            ) from None
        check_storable(collated)
        return collated, plain_dict(new_slices), np.array(kept)

    def _load_processed(self, path: Path) -> None:
        # Mapped privately: opening takes no time, and writing to a tensor never reaches the file.
        check_regular(path)
        content = torch.load(path, mmap=True, weights_only=True)
        self._processed_rows = content["rows"].numpy()
        self._restore(content)
        graph_class = find_class(content["class"])
        self.data, self.slices = graph_class.from_dict(content["data"]), content["slices"]


# Errors of torch.load, and of reading its result, for a truncated or foreign file.
_DAMAGED = (
    *(OSError, EOFError, RuntimeError, pickle.UnpicklingError),
    *(AttributeError, IndexError, KeyError, TypeError, ValueError),
)


def _content(graph: Data) -> str:
    values = graph.to_dict().items()
    return repr(sorted((k, v.tolist() if isinstance(v, torch.Tensor) else v) for k, v in values))


def transforms_text(
    pre_transform: Callable[[Data], Data] | None,
    pre_filter: Callable[[Data], bool] | None,
    transform_key: str | None,
) -> str:
    """Return a text that changes with the two callables, or with the key that represents them."""
    given = transform_key and f"{transform_key!r} {pre_transform is None}"
    return given or f"{describe(pre_transform)} {describe(pre_filter)}"
