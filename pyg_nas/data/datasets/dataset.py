"""Tables and search spaces as PyG datasets."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch_geometric.data import Data

from pyg_nas.data.datasets.collate import collate_cells
from pyg_nas.data.datasets.processed import ProcessedDataset, transforms_text
from pyg_nas.data.protocols.labels import LabelPolicy
from pyg_nas.data.tables.sources import GRAPH_FILE_SUFFIX, open_table
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import TableError, quoted
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.ragged import RaggedGraphs
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.io.formats.json_reader import parse_json
from pyg_nas.io.regular_files import byte_blocks

_FORMAT = 4  # part of every processed file's name
_GRAPH_ARRAYS = tuple(field.name for field in fields(RaggedGraphs))


class CellDataset(ProcessedDataset):
    r"""The cells of a table, a graph file or a search space as PyG graphs.

    A cell's vertices come in topological order, in NAS-Bench-101 the input first and the output
    last. Each graph has

    - ``x``: float32 :math:`(V, C)`, one-hot operations in the order of ``space.vocabulary``;
    - ``edge_index``: int64 :math:`(2, E)`, sorted by source and target;
    - ``y``: float32 :math:`(1)`, the label (an accuracy as a fraction, a time in seconds), NaN
      where it is not measured; absent without a table;
    - ``row``: int64 :math:`(1)`, the cell's row in the source.

    The processed file's name contains a digest of the source's content, the label policy,
    ``pre_transform`` and ``pre_filter``, so that a change of them never reads a stale file;
    ``transform_key`` describes how a transform enters the digest. A damaged processed file is
    written again, and several processes may share one ``root``.

    In parts and copies of a dataset, :attr:`cells`, graphs and rows correspond: the cells are
    looked up by the graphs' ``row``.

    Args:
        root (str): Folder of the dataset; processed files are written to ``processed``.
        source (str or Table or CellArray): A table file, a graph file (``.jsonl``), a loaded
            :class:`~pyg_nas.data.tables.table.Table`, or cells without labels. A file is read in
            place, not copied.
        label (LabelPolicy, optional): The rule that computes a label from a cell's runs.
            (default: the table's :attr:`~pyg_nas.data.tables.table.Table.default_label`)
        transform (callable, optional): Applied to each :obj:`Data` at every access.
            (default: :obj:`None`)
        pre_transform (callable, optional): Applied to each :obj:`Data` before it is saved. It
            returns a :obj:`Data` or :obj:`HeteroData`, or an object of a derived class that is
            defined at the top level of a module and can be created without arguments; the class
            is restored. It may set tensors, numbers and strings. (default: :obj:`None`)
        pre_filter (callable, optional): Keeps the :obj:`Data` for which it is true.
            (default: :obj:`None`)
        force_reload (bool, optional): Process the source again. (default: :obj:`False`)
        transform_key (str, optional): Represents ``pre_transform`` and ``pre_filter`` in the
            processed file's name; change it whenever they change. Without it, the name depends on
            their names, code, closures, defaults and attributes, and on what their code uses of its
            own module. Changes of another module's attributes, of files and of the environment are
            not detected. (default: :obj:`None`)

    Raises:
        TableError: If the source is missing, damaged, of another type, or lacks the label's budget
            or run, or if a processed file cannot restore what ``pre_transform`` or ``pre_filter``
            returns.
    """

    space_name: ClassVar[str | None] = None
    """Name of the space that all sources must have, in :mod:`pyg_nas.graphs.registry`."""

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
        if not isinstance(source, (str, os.PathLike, Table, CellArray)):
            raise TableError(
                f"source must be a file, a Table or a CellArray, got {type(source).__name__}"
            )
        if not isinstance(label, (LabelPolicy, type(None))):
            raise TableError(f"label must be a LabelPolicy or None, got {quoted(label)}")
        self.source = source if isinstance(source, (Table, CellArray)) else Path(source)
        self.label = label
        transforms = transforms_text(pre_transform, pre_filter, transform_key)
        is_graph_file = isinstance(self.source, Path) and self.source.suffix == GRAPH_FILE_SUFFIX
        if is_graph_file and self.space_name is not None:
            transforms += f" {self.space_name}"  # several spaces may have the operations' names
        self._digest = _digest(self.source, self.label, transforms)
        super().__init__(root, transform, pre_transform, pre_filter, force_reload)

    @property
    def raw_dir(self) -> str:
        """The source file's folder; ``root/raw`` if the source is not a file."""
        return str(self.source.parent) if isinstance(self.source, Path) else super().raw_dir

    @property
    def raw_file_names(self) -> list[str]:
        """The source file, if it is one."""
        return [self.source.name] if isinstance(self.source, Path) else []

    @property
    def processed_file_names(self) -> list[str]:
        """One file, named by the digest of everything that it depends on."""
        return [f"cells-{self._digest}.pt"]

    @property
    def space(self) -> SearchSpace:
        """The search space of the cells."""
        return self._processed_cells.space

    @property
    def cells(self) -> CellArray:
        """The cells of the dataset, or of the selected part of it, in order."""
        return self._own(self._processed_cells)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[np.object_]:
        """Return the cells as objects ``[N, 1]``, as :class:`CellArray` does."""
        return self.cells.__array__(dtype)

    def cell(self, index: int) -> Cell:
        """Return the cell of the graph at ``index``."""
        return self._processed_cells[int(self._positions([self.indices()[index]])[0])]

    def _collated_source(self) -> tuple[Data, dict[str, torch.Tensor]]:
        if isinstance(self.source, CellArray):
            self._source_cells, labels = self.source, None
        else:
            table = self.source if isinstance(self.source, Table) else self._opened(self.source)
            self._source_cells, labels = table.cells, table.label(self.label)
        self._check_space(self._source_cells.space)
        return collate_cells(self._source_cells, labels)

    def _opened(self, path: Path) -> Table:
        if self.space_name is not None:
            with contextlib.suppress(TableError):  # of another space, perhaps
                return open_table(path, self.space_name)
        return open_table(path)

    def _check_space(self, space: SearchSpace) -> None:
        """Check the space of the source; a dataset of one space has an error of its own."""

    def _row_attributes(self, rows: NDArray[np.int64]) -> dict[str, Any]:
        cells = self._source_cells
        del self._source_cells
        if len(rows) < len(cells):
            cells = cells[rows]
        return {
            **{name: torch.tensor(getattr(cells.ragged, name)) for name in _GRAPH_ARRAYS},
            "space": json.dumps(cells.space.to_dict()),
        }

    def _restore(self, content: dict[str, Any]) -> None:
        self._processed_cells = CellArray.from_ragged(
            RaggedGraphs(**{name: content[name].numpy() for name in _GRAPH_ARRAYS}),
            SearchSpace.from_dict(parse_json(content["space"])),
        )


def _digest(
    source: Path | Table | CellArray,
    label: LabelPolicy | None,
    transforms: str,
) -> str:
    """Return the digest of everything that a processed file depends on, 32 hex digits."""
    digest = hashlib.sha256()
    digest.update(repr((_FORMAT, label and label.to_dict())).encode())
    digest.update(transforms.encode())
    if isinstance(source, Path):
        for block in byte_blocks(source, TableError):
            digest.update(block)
    else:
        cells = source.cells if isinstance(source, Table) else source
        digest.update(cells.digest)
        if isinstance(source, Table):
            digest.update(source.label(label).tobytes())
    return digest.hexdigest()[:32]
