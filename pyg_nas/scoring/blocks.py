"""Blocks of architectures to score: of a space, of a graph file, or of a user's own generator.

A block is a small description that is sent to a worker, which reads the architectures.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyg_nas.data.graph_files.arrow import read_arrow_graphs
from pyg_nas.data.graph_files.jsonl import parse_graphs
from pyg_nas.engine.shared_terms import BLOCK_CELLS
from pyg_nas.errors import SettingsError, TableError
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.registry import find_space, open_space, space_reference
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.io.formats.json_lines import read_lines
from pyg_nas.io.user_code import user_call
from pyg_nas.scoring.source import GRAPH_FILES, check_source
from pyg_nas.spaces.modules.network_array import NetworkArray

Graphs = CellArray | NetworkArray

_MOST_JOINED = 4_000_000  # vertices of cells or arrays that are joined, in 0.1 GB
_MOST_PADDED = 16  # vertices of a cell up to which padded arrays are not larger than edge lists
_MOST_LINES_BYTES = 2**27  # of the lines of a block: more than those of 262,144 small cells


class Architectures(NamedTuple):
    """Graphs ``[n]``, and of them hashes ``S32 [n]``, text forms ``[n]`` and parameters of the
    trained networks ``[n]``, each where the source has them."""

    graphs: Graphs
    hashes: NDArray[np.bytes_] | None = None
    texts: Sequence[str] = ()
    parameters: NDArray[np.integer[Any]] | None = None

    def graphs_of(self, rows: NDArray[np.int64]) -> Graphs:
        """Return the graphs of some rows ``[k]``.

        All of them in their order are not copied, and keep what was computed from them.
        """
        if np.array_equal(rows, np.arange(len(self.graphs))):
            return self.graphs
        return self.graphs[rows]

    def hashes_of(self, rows: NDArray[np.int64]) -> NDArray[np.bytes_]:
        """Return the hashes of some rows ``[k]``, ``S32 [k]``; hashing costs more than scoring."""
        if self.hashes is not None:
            return self.hashes[rows]
        graphs = self.graphs_of(rows)
        return graphs.hashes() if isinstance(graphs, CellArray) else graphs.hashes


@dataclass(frozen=True)
class Block(ABC):
    """Consecutive architectures of a source.

    Attributes:
        row: Position of the first one in the source, from 0.
    """

    row: int

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of architectures."""

    @property
    @abstractmethod
    def digest(self) -> str:
        """A text that changes with the architectures, to detect a changed source."""

    @abstractmethod
    def read(self) -> Architectures:
        """Return the architectures."""


def space_architectures(space: SearchSpace, part: slice = slice(None)) -> Architectures:
    """Return architectures of a space, by default all.

    They are the drawings of its official list, in that order, or its cells if it has no list.

    Raises:
        SpaceError: If they cannot be listed.
    """
    support = space.support
    if texts := tuple(support.architecture_texts()[part]):
        return Architectures(support.cells_of_texts(texts), None, texts)
    return Architectures(support.cells()[part], support.hashes()[part])


@dataclass(frozen=True)
class SpaceBlock(Block):
    """Architectures ``row`` to ``stop`` of a space, by its name or the user's ``file.py:NAME``.

    Attributes:
        described: The space with its limits as text, which changes when the user's file does.
    """

    stop: int
    space: str
    described: str

    def __len__(self) -> int:
        return self.stop - self.row

    @property
    def digest(self) -> str:
        """See :attr:`Block.digest`."""
        return f"{self.space} {self.described} {self.row} {self.stop}"

    def read(self) -> Architectures:
        """See :meth:`Block.read`."""
        return space_architectures(open_space(self.space), slice(self.row, self.stop))


@dataclass(frozen=True)
class LinesBlock(Block):
    """Lines of a graph file, with their numbers."""

    path: Path
    lines: tuple[tuple[int, bytes], ...]
    space: SearchSpace

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def digest(self) -> str:
        """See :attr:`Block.digest`."""
        content = sha256()
        for number, line in self.lines:
            content.update(b"%d %b" % (number, line))
        return content.hexdigest()

    def read(self) -> Architectures:
        """See :meth:`Block.read`."""
        return Architectures(parse_graphs(self.path, self.lines, self.space))


@dataclass(frozen=True)
class StoredBlock(Block):
    """Architectures in memory."""

    architectures: Architectures

    def __len__(self) -> int:
        return len(self.architectures.graphs)

    @property
    def digest(self) -> str:
        """See :attr:`Block.digest`."""
        graphs = self.architectures.graphs
        if not isinstance(graphs, CellArray) or graphs.space.max_vertices > _MOST_PADDED:
            return str(graphs.digest)
        # In half the time of their edge lists.
        content = sha256(f"{graphs.space!r} {graphs.adjacency.shape}".encode())
        for array in (graphs.adjacency, graphs.operations, graphs.num_vertices):
            content.update(np.ascontiguousarray(array).data)
        return content.hexdigest()

    def read(self) -> Architectures:
        """See :meth:`Block.read`."""
        return self.architectures


def stored_blocks(architectures: Architectures, size: int = BLOCK_CELLS) -> Iterator[Block]:
    """Yield architectures in memory, ``size`` to a block."""
    for start in range(0, len(architectures.graphs), size):
        part = slice(start, start + size)
        kept: Any = (None if values is None else values[part] for values in architectures)
        yield StoredBlock(start, Architectures(*kept))


def block_size(estimator: Any) -> int:
    """Return how many architectures a predictor scores at a time, its ``block_cells`` if it has."""
    return int(getattr(estimator, "block_cells", BLOCK_CELLS))


def space_blocks(space: SearchSpace, size: int = BLOCK_CELLS) -> Iterator[Block]:
    """Yield all architectures of a registered space, ``size`` to a block.

    Raises:
        SpaceError: If they cannot be listed.
    """
    support = space.support
    total = len(support.architecture_texts()) or len(support.cells())
    name, described = space_reference(space) or space.name, repr(space)
    for start in range(0, total, size):
        yield SpaceBlock(start, min(start + size, total), name, described)


def file_blocks(
    path: str | os.PathLike[str], space: SearchSpace, size: int = BLOCK_CELLS
) -> Iterator[Block]:
    """Yield the graphs of a graph file, ``size`` to a block; the file is read once, in order.

    Of large graphs fewer, so that memory is bounded.

    Raises:
        TableError: If it is not a regular file or a line is too long.
    """
    row, waiting, read = 0, list[tuple[int, bytes]](), 0
    for number, line in read_lines(path, TableError):
        waiting.append((number, line))
        read += len(line)
        if len(waiting) == size or read >= _MOST_LINES_BYTES:
            yield LinesBlock(row, Path(path), tuple(waiting), space)
            row, waiting, read = row + len(waiting), [], 0
    if waiting:
        yield LinesBlock(row, Path(path), tuple(waiting), space)


def arrow_blocks(
    path: str | os.PathLike[str], space: SearchSpace, size: int = BLOCK_CELLS
) -> Iterator[Block]:
    """Yield the graphs of an Arrow file, at most ``size`` to a block.

    Raises:
        TableError: If it is not such a file, or a row is not a graph of the space.
        SettingsError: If pyarrow is not installed.
    """
    row = 0
    for graphs in _joined(read_arrow_graphs(path, space, size), size):
        yield StoredBlock(row, Architectures(graphs))
        row += len(graphs)


def generator_blocks(
    generator: Callable[[], Iterable[Any]], space: SearchSpace, size: int = BLOCK_CELLS
) -> Iterator[Block]:
    """Yield blocks of the cells or arrays of cells that a user's function yields.

    Args:
        generator: Returns an iterable of :class:`~pyg_nas.graphs.cell.Cell` and
            :class:`~pyg_nas.graphs.cell_array.CellArray`, the same at each call.
        space: The space of single cells.
        size: Cells to a block, at most.

    Raises:
        SettingsError: If it yields anything else, or an array with a row that is not a cell.
    """
    row = 0
    for cells in _joined(_arrays(generator, space, size), size):
        if (invalid := cells.first_invalid()) is not None:
            raise SettingsError(
                f"architecture {row + invalid[0]} that the generator yields, counted from 0: "
                f"{invalid[1]}"
            )
        yield StoredBlock(row, Architectures(cells))
        row += len(cells)


def _arrays(
    generator: Callable[[], Iterable[Any]], space: SearchSpace, size: int
) -> Iterator[CellArray]:
    """Yield what the user's function yields as arrays, at most ``size`` single cells in one.

    Of large cells fewer, so that memory is bounded.
    """
    single: list[Cell] = []
    vertices = 0
    for item in _yielded(generator):
        if isinstance(item, Cell):
            single.append(item)
            vertices += item.num_vertices
        elif not isinstance(item, CellArray):
            raise SettingsError(
                f"a generator of architectures must yield cells or arrays of cells, got "
                f"{type(item).__name__}"
            )
        full = len(single) == size or vertices >= _MOST_JOINED
        if single and (isinstance(item, CellArray) or full):
            yield CellArray.from_cells(single, space)
            single, vertices = [], 0
        if isinstance(item, CellArray):
            yield item
    if single:
        yield CellArray.from_cells(single, space)


def _joined(arrays: Iterable[CellArray], size: int) -> Iterator[CellArray]:
    """Yield the cells of all arrays, ``size`` at a time: a predictor needs less time for them.

    Of large graphs fewer, so that memory is bounded.
    """
    waiting: list[CellArray] = []
    missing, vertices = size, 0
    for array in arrays:
        start = 0
        while start < len(array):
            waiting.append(array[start : start + missing])
            start += len(waiting[-1])
            missing -= len(waiting[-1])
            vertices += int(waiting[-1].num_vertices.sum())
            if not missing or vertices >= _MOST_JOINED:
                yield CellArray.concatenate(waiting)
                waiting, missing, vertices = [], size, 0
    if waiting:
        yield CellArray.concatenate(waiting)


def _yielded(generator: Callable[[], Iterable[Any]]) -> Iterator[Any]:
    """Yield the items of the user's function; its exceptions become one clear error."""
    with user_call("the generator of architectures"):
        yield from generator()


_FILES = dict(zip(GRAPH_FILES, (file_blocks, arrow_blocks), strict=True))


def open_blocks(source: str, space: SearchSpace, size: int = BLOCK_CELLS) -> Iterator[Block]:
    """Yield the blocks of a source that a user names.

    Args:
        source: A registered space, a ``.jsonl`` or ``.arrow`` graph file, or ``module:function``
            or ``file.py:function`` of a function that returns an iterable of cells.
        space: The space of the model that scores them.
        size: Architectures to a block, at most.

    Raises:
        SpaceError: If no space has that name.
        TableError: If the file cannot be read.
        SettingsError: If the function cannot be imported.
    """
    from pyg_nas.predictors.storage.registry import class_named

    check_source(source)
    if Path(source).suffix in _FILES:
        return _FILES[Path(source).suffix](source, space, size)
    if ":" in source:
        return generator_blocks(class_named(source), space, size)
    return space_blocks(find_space(source), size)
