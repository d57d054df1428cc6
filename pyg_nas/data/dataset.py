"""Tables and search spaces as PyG datasets."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch_geometric.data import Data, InMemoryDataset, OnDiskDataset
from torch_geometric.data.separate import separate

from pyg_nas.data.collate import collate_cells
from pyg_nas.data.graph_class import (
    check_graph,
    check_storable,
    find_class,
    full_name,
    is_true,
    plain_dict,
)
from pyg_nas.data.labels import LabelPolicy
from pyg_nas.data.sources import open_table
from pyg_nas.data.table import Table
from pyg_nas.data.transform_digest import describe
from pyg_nas.errors import TableError
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.ragged import RaggedGraphs
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.io.files import atomic_path
from pyg_nas.io.regular_files import open_regular

_FORMAT = 4  # part of every processed file's name
_GRAPH_ARRAYS = tuple(field.name for field in fields(RaggedGraphs))


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
    ``pre_transform`` and ``pre_filter``, so no change of them can meet a stale file; what that
    digest covers of a transform is said at ``transform_key``. A damaged processed file is made
    again, and several processes may share one ``root``.

    Parts and copies of a dataset keep :attr:`cells`, graphs and rows together: the cells are
    looked up by the graphs' ``row``.

    Args:
        root (str): Folder of the dataset; processed files lie in ``processed``.
        source (str or Table or CellArray): A table file, a graph file (``.jsonl``), a loaded
            :class:`~pyg_nas.data.table.Table`, or cells without labels. A file is read where it
            lies and not copied.
        label (LabelPolicy, optional): The rule that makes a label of a cell's runs.
            (default: the table's :attr:`~pyg_nas.data.table.Table.default_label`)
        transform (callable, optional): Applied to each :obj:`Data` at every access.
            (default: :obj:`None`)
        pre_transform (callable, optional): Applied to each :obj:`Data` before it is saved. It
            returns a :obj:`Data` or :obj:`HeteroData`, or one of a class derived from them, at
            the top level of a module, that can be made without arguments; the class is restored.
            It may set tensors, numbers and strings. (default: :obj:`None`)
        pre_filter (callable, optional): Keeps the :obj:`Data` for which it is true.
            (default: :obj:`None`)
        force_reload (bool, optional): Process the source again. (default: :obj:`False`)
        transform_key (str, optional): Stands for ``pre_transform`` and ``pre_filter`` in the
            processed file's name; change it whenever they change. Without it their names, code,
            closures, defaults and attributes do, and what their code names in its own module. A
            change behind an attribute of another module, in a file or in the environment is not
            seen. (default: :obj:`None`)

    Raises:
        TableError: If the source is missing, damaged, or lacks the label's budget or run, or
            ``pre_transform`` or ``pre_filter`` returns what a processed file cannot restore.
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
        transform_key: str | None = None,
    ) -> None:
        self.source = source if isinstance(source, (Table, CellArray)) else Path(source)
        self.label = label
        transforms = transform_key and f"{transform_key!r} {pre_transform is None}"
        transforms = transforms or f"{describe(pre_transform)} {describe(pre_filter)}"
        self._digest = _digest(self.source, self.label, transforms)
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
        return self._processed_cells.space

    @property
    def cells(self) -> CellArray:
        """The cells of the dataset, or of the part of it that was selected, in order."""
        # Of PyG's methods some make a part by its indices and some copy graphs: the rows, an
        # attribute of the graphs, are what all of them keep.
        rows: NDArray[np.int64] = self._data["row"].numpy(force=True)
        if self._indices is not None:
            rows = rows[np.array(self._indices, dtype=int)]
        if np.array_equal(rows, self._processed_rows):
            return self._processed_cells
        return self._processed_cells[np.searchsorted(self._processed_rows, rows)]

    @property
    def shape(self) -> tuple[int, int]:
        """``(N, 1)``: for scikit-learn a cell is one sample with one feature."""
        return len(self), 1

    def __getitem__(self, index: Any) -> Any:
        """Return one graph, or the dataset of several.

        scikit-learn writes ``dataset[rows, ...]`` for the samples of a matrix.
        """
        if isinstance(index, tuple) and len(index) == 2 and index[1] is Ellipsis:
            index = index[0]
        return super().__getitem__(index)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[np.object_]:
        """Return the cells as objects ``[N, 1]``, as :class:`CellArray` does."""
        return self.cells.__array__(dtype)

    def cell(self, index: int) -> Cell:
        """Return the cell of the graph at ``index``."""
        row = self._data["row"][self.indices()[index]].item()
        return self._processed_cells[int(np.searchsorted(self._processed_rows, row))]

    def to_on_disk_dataset(self, *args: Any, **kwargs: Any) -> OnDiskDataset:
        """Return PyG's on-disk form; a graph's ``row`` is the way back to its cell.

        Raises:
            TableError: If the graphs are of another class than :obj:`Data`, which PyG would put
                in its place.
        """
        if type(self._data) is not Data:
            raise TableError(
                f"an on-disk dataset restores every graph as Data, these are "
                f"{full_name(type(self._data))}"
            )
        return super().to_on_disk_dataset(*args, **kwargs)

    def process(self) -> None:
        """Collate the source and write the processed file, whole or not at all."""
        cells, labels = self._read_source()
        data, slices = collate_cells(cells, labels)
        rows = np.arange(len(cells))
        if self.pre_filter is not None or self.pre_transform is not None:
            data, slices, rows = self._pre_process(data, slices, len(cells))
            cells = cells[rows]
        content = {
            "class": full_name(type(data)),
            "data": data.to_dict(),
            "slices": slices,
            "rows": torch.from_numpy(rows),
            **{name: torch.tensor(getattr(cells.ragged, name)) for name in _GRAPH_ARRAYS},
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
            raise TableError(f"pre_filter keeps none of the {total} cells")
        collated, new_slices = self.collate(chosen)
        check_storable(collated)
        return collated, plain_dict(new_slices), np.array(kept)

    def _load_processed(self, path: Path) -> None:
        # Mapped privately: opening takes no time, and writing to a tensor never reaches the file.
        content = torch.load(path, mmap=True, weights_only=True)
        self._processed_rows = content["rows"].numpy()
        self._processed_cells = CellArray.from_ragged(
            RaggedGraphs(**{name: content[name].numpy() for name in _GRAPH_ARRAYS}),
            SearchSpace.from_dict(json.loads(content["space"])),
        )
        graph_class = find_class(content["class"])
        self.data, self.slices = graph_class.from_dict(content["data"]), content["slices"]


# What torch.load and the reading of its result raise for a truncated or foreign file.
_DAMAGED = (OSError, EOFError, RuntimeError, KeyError, ValueError, pickle.UnpicklingError)


def _digest(
    source: Path | Table | CellArray,
    label: LabelPolicy | None,
    transforms: str,
) -> str:
    """Digest of all that a processed file depends on, 32 hex digits."""
    digest = hashlib.sha256()
    digest.update(repr((_FORMAT, label and label.to_dict())).encode())
    digest.update(transforms.encode())
    if isinstance(source, Path):
        with open_regular(source, TableError) as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    else:
        cells = source.cells if isinstance(source, Table) else source
        digest.update(cells.digest)
        if isinstance(source, Table):
            digest.update(source.label(label).tobytes())
    return digest.hexdigest()[:32]
