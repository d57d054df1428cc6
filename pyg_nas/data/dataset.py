"""Tables and search spaces as PyG datasets."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch_geometric.data import Data, InMemoryDataset
from torch_geometric.data.separate import separate

from pyg_nas.data.collate import collate_cells
from pyg_nas.data.labels import LabelPolicy
from pyg_nas.data.sources import open_table
from pyg_nas.data.table import Table
from pyg_nas.data.transform_digest import describe
from pyg_nas.errors import SpaceError, TableError
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.enumeration import nasbench101_cells
from pyg_nas.graphs.search_space import NASBENCH101, SearchSpace
from pyg_nas.io.files import atomic_path

_FORMAT = 2  # part of every processed file's name


class CellDataset(InMemoryDataset):  # type: ignore[misc]
    r"""The cells of a table, a graph file or a search space as PyG graphs.

    A cell's vertices come in topological order, in NAS-Bench-101 the input first and the output
    last. Each graph has

    - ``x``: float32 :math:`(V, C)`, one-hot operations in the order of ``space.vocabulary``;
    - ``edge_index``: int64 :math:`(2, E)`, sorted by source and target;
    - ``y``: float32 :math:`(1)`, the label (an accuracy as a fraction, a time in seconds), NaN
      where it is not measured; absent without a table;
    - ``row``: int64 :math:`(1)`, the cell's row in the source.

    The processed file's name carries a digest of the source's content, the label policy,
    ``pre_transform`` and ``pre_filter``, so no change of them can meet a stale file. A damaged
    processed file is made again, and several processes may share one ``root``.

    Args:
        root (str): Folder of the dataset; processed files lie in ``processed``.
        source (str or Table or CellArray): A table file, a graph file (``.jsonl``), a loaded
            :class:`~pyg_nas.data.table.Table`, or cells without labels. A file is read where it
            lies and not copied.
        label (LabelPolicy, optional): The rule that makes a label of a cell's runs.
            (default: the table's :attr:`~pyg_nas.data.table.Table.default_label`)
        transform (callable, optional): Applied to each :obj:`Data` at every access.
            (default: :obj:`None`)
        pre_transform (callable, optional): Applied to each :obj:`Data` before it is saved; it may
            set tensors, numbers and strings. (default: :obj:`None`)
        pre_filter (callable, optional): Keeps the :obj:`Data` for which it is true.
            (default: :obj:`None`)
        force_reload (bool, optional): Process the source again. (default: :obj:`False`)

    Raises:
        TableError: If the source is missing, damaged, or lacks the label's budget or run, or
            ``pre_transform`` sets something that is no tensor, number or string.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        source: str | os.PathLike[str] | Table | CellArray,
        label: LabelPolicy | None = None,
        transform: Callable[[Data], Any] | None = None,
        pre_transform: Callable[[Data], Data] | None = None,
        pre_filter: Callable[[Data], bool] | None = None,
        force_reload: bool = False,
    ) -> None:
        self.source = source if isinstance(source, (Table, CellArray)) else Path(source)
        self.label = label
        self._digest = _digest(self.source, self.label, pre_transform, pre_filter)
        super().__init__(
            os.fspath(root), transform, pre_transform, pre_filter, force_reload=force_reload
        )
        path = Path(self.processed_paths[0])
        try:
            self._load_processed(path)
        except _DAMAGED:
            self.process()
            self._load_processed(path)

    @property
    def raw_dir(self) -> str:
        """The source file's own folder; ``root/raw`` where the source is no file."""
        return str(self.source.parent) if isinstance(self.source, Path) else super().raw_dir

    @property
    def raw_file_names(self) -> list[str]:
        """The source file, if it is one."""
        return [self.source.name] if isinstance(self.source, Path) else []

    @property
    def processed_file_names(self) -> list[str]:
        """One file, named by the digest of all that it depends on."""
        return [f"cells-{self._digest}.pt"]

    @property
    def space(self) -> SearchSpace:
        """The search space of the cells."""
        return self._cells.space

    @property
    def cells(self) -> CellArray:
        """The cells of the dataset, or of the part of it that was selected, in order."""
        return self._cells if self._indices is None else self._cells[np.array(self._indices, int)]

    def cell(self, index: int) -> Cell:
        """Return the cell of the graph at ``index``."""
        return self._cells[int(self.indices()[index])]

    def process(self) -> None:
        """Collate the source and write the processed file, whole or not at all."""
        cells, labels = self._read_source()
        data, slices = collate_cells(cells, labels)
        if self.pre_filter is not None or self.pre_transform is not None:
            data, slices, kept = self._pre_process(data, slices, len(cells))
            _check_storable(data)
            cells = cells[kept]
        content = {
            "data": data.to_dict(),
            "slices": slices,
            "adjacency": torch.from_numpy(cells.adjacency),
            "operations": torch.from_numpy(cells.operations),
            "num_vertices": torch.from_numpy(cells.num_vertices),
            "space": json.dumps(cells.space.to_dict()),
        }
        with atomic_path(self.processed_paths[0]) as temporary:
            torch.save(content, temporary)

    def _process(self) -> None:
        # PyG keeps the transforms' names in two files of one name for the whole folder, which
        # concurrent processes can meet half-written; here the digest stands for them.
        if self.force_reload or not Path(self.processed_paths[0]).exists():
            self.process()

    def _read_source(self) -> tuple[CellArray, NDArray[np.float64] | None]:
        if isinstance(self.source, CellArray):
            return self.source, None
        table = self.source if isinstance(self.source, Table) else open_table(self.source)
        return table.cells, table.label(self.label)

    def _pre_process(
        self, data: Data, slices: dict[str, torch.Tensor], total: int
    ) -> tuple[Data, Any, NDArray[np.int64]]:
        """Filter and transform graph by graph, as these callables demand."""
        chosen, kept = [], []
        for index in range(total):
            graph = separate(Data, data, index, slices, decrement=False)
            if self.pre_filter is not None and not self.pre_filter(graph):
                continue
            chosen.append(graph if self.pre_transform is None else self.pre_transform(graph))
            kept.append(index)
        if not chosen:
            raise TableError(f"pre_filter keeps none of the {total} cells")
        collated, new_slices = self.collate(chosen)
        return collated, new_slices, np.array(kept)

    def _load_processed(self, path: Path) -> None:
        # Mapped privately: opening takes no time, and writing to a tensor never reaches the file.
        content = torch.load(path, mmap=True, weights_only=True)
        self._cells = CellArray(
            content["adjacency"].numpy(),
            content["operations"].numpy(),
            content["num_vertices"].numpy(),
            SearchSpace.from_dict(json.loads(content["space"])),
        )
        self.data, self.slices = Data.from_dict(content["data"]), content["slices"]


class NASBench101(CellDataset):
    r"""The NAS-Bench-101 dataset from `"NAS-Bench-101: Towards Reproducible Neural Architecture
    Search" <https://arxiv.org/abs/1902.09635>`_: all cells of at most 7 vertices and 9 edges with
    3 operations, trained three times on CIFAR-10 at each of four budgets.

    Args:
        root (str): Folder of the dataset; processed files lie in ``processed``.
        source (str or Table or CellArray, optional): A table of NAS-Bench-101 cells, or some
            cells without labels. (default: :obj:`None`, all cells, enumerated, without labels)
        label (LabelPolicy, optional): See :class:`CellDataset`.
        transform (callable, optional): See :class:`CellDataset`.
        pre_transform (callable, optional): See :class:`CellDataset`.
        pre_filter (callable, optional): See :class:`CellDataset`.
        force_reload (bool, optional): See :class:`CellDataset`.

    Raises:
        TableError: See :class:`CellDataset`.
        SpaceError: If the cells are of another search space.

    **STATS:**

    .. list-table::
        :widths: 20 10 10 10 10 10
        :header-rows: 1

        * - Name
          - #graphs
          - #nodes
          - #edges
          - #features
          - #tasks
        * - All cells
          - 423,624
          - ~6.8
          - ~8.7
          - 5
          - 1
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        source: str | os.PathLike[str] | Table | CellArray | None = None,
        label: LabelPolicy | None = None,
        transform: Callable[[Data], Any] | None = None,
        pre_transform: Callable[[Data], Data] | None = None,
        pre_filter: Callable[[Data], bool] | None = None,
        force_reload: bool = False,
    ) -> None:
        super().__init__(
            root,
            nasbench101_cells() if source is None else source,
            label,
            transform,
            pre_transform,
            pre_filter,
            force_reload,
        )
        if self.space != NASBENCH101:
            raise SpaceError(f"{source} holds cells of {self.space.name!r}, not of NAS-Bench-101")


# What torch.load and the reading of its result raise for a truncated or foreign file.
_DAMAGED = (OSError, EOFError, RuntimeError, KeyError, ValueError, pickle.UnpicklingError)


def _check_storable(data: Data) -> None:
    """Raise where ``pre_transform`` set what a processed file cannot give back unpickled."""
    wrong = []
    for name, value in data.to_dict().items():
        stored = io.BytesIO()
        try:
            torch.save(value, stored)
            stored.seek(0)
            torch.load(stored, weights_only=True)
        except Exception:  # pickling raises whatever the object's class does
            each = value[0] if isinstance(value, list) and value else value
            wrong.append(f"{name!r} ({type(each).__module__}.{type(each).__qualname__})")
    if wrong:
        raise TableError(
            f"pre_transform may set tensors, numbers and strings, it sets {', '.join(wrong)}; "
            f"torch.from_numpy makes a tensor of an array"
        )


def _digest(
    source: Path | Table | CellArray,
    label: LabelPolicy | None,
    pre_transform: Callable[..., Any] | None,
    pre_filter: Callable[..., Any] | None,
) -> str:
    """Digest of all that a processed file depends on, 32 hex digits."""
    digest = hashlib.sha256()
    digest.update(repr((_FORMAT, label and label.to_dict())).encode())
    digest.update(f"{describe(pre_transform)} {describe(pre_filter)}".encode())
    if isinstance(source, Path):
        try:
            with source.open("rb") as file:
                while chunk := file.read(1 << 20):
                    digest.update(chunk)
        except OSError as error:
            raise TableError(f"{source}: cannot be read ({error.strerror})") from None
    else:
        cells = source.cells if isinstance(source, Table) else source
        digest.update(json.dumps(cells.space.to_dict()).encode())
        arrays: list[NDArray[Any]] = [cells.adjacency, cells.operations, cells.num_vertices]
        if isinstance(source, Table):
            arrays.append(source.label(label))
        for array in arrays:
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:32]
