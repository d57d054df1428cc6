"""Support of the spaces of edge cells (:mod:`pyg_nas.spaces.edge_cells.architectures`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.errors import CellError, first_true
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.cell_network import NetworkSize, UniformWidth
from pyg_nas.graphs.mutation import Genotype
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.graphs.space_support import Array, ExtraFeatures, SpaceSupport
from pyg_nas.spaces.edge_cells.architectures import EDGES, KERNEL_SIZES, NONE, EdgeCells
from pyg_nas.spaces.edge_cells.network_size import Layers

if TYPE_CHECKING:
    from torch import nn

LayersOf = Callable[[NDArray[Any], NetworkSize], Iterator[Layers]]
Build = Callable[[list[int], NetworkSize, int, "float | None"], "nn.Module"]

_FEW_CELLS = 500  # of more cells, hashes are looked up in those of the whole space


class EdgeCellNetworks(UniformWidth):
    """The networks of edge cells (:class:`~pyg_nas.graphs.cell_network.CellNetwork`).

    Args:
        support: The support of the space.
        size: Size of the official networks.
        layers: Yields the layers of networks of operation numbers ``[N, 6]`` at a size.
        build: Builds the network of six operation numbers at a size, for a number of members and
            a momentum of batch normalisation.
    """

    sufficient_stem_channels = 1

    def __init__(
        self, support: EdgeCellSupport, size: NetworkSize, layers: LayersOf, build: Build
    ) -> None:
        self.size = size
        self._support = support
        self._layers = layers
        self._build = build

    def trainable_parameters(
        self, cells: CellArray, size: NetworkSize | None = None
    ) -> NDArray[np.int64]:
        """Return the exact trainable parameters, ``[N]``."""
        return self.sizes(self._support.operations(cells), size)[0]

    def macs(self, cells: CellArray, size: NetworkSize | None = None) -> NDArray[np.int64]:
        """Return the multiply-accumulates for one image, ``[N]``."""
        return self.sizes(self._support.operations(cells), size)[1]

    def sizes(
        self, operations: NDArray[Any], size: NetworkSize | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return parameters and multiply-accumulates of drawings, ``[N]`` each.

        An operation that does not reach the output counts, as in published figures.

        Args:
            operations: Operation numbers ``[N, 6]``.
            size: By default the official one.
        """
        parameters, macs = np.zeros((2, len(operations)), dtype=np.int64)
        for layers in self._layers(operations, size or self.size):
            parameters += layers.number * layers.parameters
            macs += layers.number * layers.macs
        return parameters, macs

    def build(
        self,
        cell: Cell,
        size: NetworkSize | None = None,
        members: int = 1,
        batch_norm_momentum: float | None = None,
    ) -> nn.Module:
        """Return the network in PyTorch, or ``members`` of them trained side by side."""
        operations = self._support.operations(CellArray.from_cells([cell]))[0].tolist()
        return self._build(operations, size or self.size, members, batch_norm_momentum)


class EdgeCellSupport(SpaceSupport):
    """Support of a space of edge cells.

    Its cells are the graphs of the architectures' representatives, one for each class of
    architectures that compute the same function. A cell's text form is that of its representative.

    Args:
        space: The space; its operations are those of ``edge_cells``.
        edge_cells: The architectures.
        format_text: Text form of six operation numbers.
        parse_text: Six operation numbers of a text form, or a ``CellError``.
    """

    network: EdgeCellNetworks
    drawing_labels = {  # noqa: RUF012
        "none": "none",
        "skip_connect": "skip",
        "nor_conv_1x1": "conv 1×1",
        "nor_conv_3x3": "conv 3×3",
        "avg_pool_3x3": "avg pool 3×3",
    }
    extra_kinds = {"convolutions": tuple(KERNEL_SIZES)}  # noqa: RUF012
    common_operations = {"conv3x3": "nor_conv_3x3"}  # noqa: RUF012
    # Of the cells of NAS-Bench-201, where every cell has its twin.
    zero_cost_model = "nasbench201_zero_cost.npz"
    proxy_files = {  # noqa: RUF012
        "propagation": "nasbench201_propagation.npz",
        "weight information": "nasbench201_weight_information.npz",
    }
    has_text_form = True
    has_empty_cell = True  # architectures whose output is always zero

    def __init__(
        self,
        space: SearchSpace,
        edge_cells: EdgeCells,
        format_text: Callable[[list[int]], str],
        parse_text: Callable[[str], list[int]],
    ) -> None:
        super().__init__(space)
        self.path_operations = tuple(range(NONE + 1, len(space.operations)))
        self._rule = f"it must be the canonical graph of a cell of {space.name!r}"
        self.edge_cells = edge_cells
        self.format_text = format_text
        self.parse_text = parse_text

    def canonical(
        self, edges: NDArray[np.int64], operations: NDArray[Any]
    ) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """Return the graph of the representative of a drawing.

        Raises:
            CellError: If no architecture of the space computes the function of the drawing.
        """
        from pyg_nas.graphs.cell_rules import check_terminals

        check_terminals(operations, self.space)
        code = self.edge_cells.code_of_graph(edges, operations.tolist())
        if code is None:
            raise CellError(
                f"the graph is not a cell of {self.space.name!r}: no choice of operations on the "
                f"six edges of four nodes computes the same"
            )
        ids, links = self.edge_cells.graph(code)
        return np.array(links, dtype=np.int64).reshape(-1, 2).T, np.array(ids, dtype=np.int8)

    def cell_of_code(self, code: int) -> Cell:
        """Return the cell of an architecture."""
        adjacency, ids = self.edge_cells.drawing(code)
        return Cell(adjacency, ids, self.space)

    def cells_of_codes(self, codes: NDArray[np.int64]) -> CellArray:
        """Return the cells ``[N]`` of architectures; some may be equal."""
        adjacency, ids, counts = self.edge_cells.padded_graphs(codes)
        return CellArray(adjacency, ids, counts, self.space)

    def codes(self, cells: CellArray) -> NDArray[np.int64]:
        """Return the codes of the cells' representatives, ``[N]``.

        Raises:
            CellError: If a graph is not that of a representative.
        """
        codes = self._found_codes(cells)
        if (row := first_true(codes < 0)) is not None:
            raise CellError(f"cell {row}: {self._rule}")
        return codes

    def _found_codes(self, cells: CellArray) -> NDArray[np.int64]:
        """The codes, ``[N]``; -1 for graphs without a representative."""
        return np.array([self._code_of_row.get(row, -1) for row in _rows(cells)], dtype=np.int64)

    def operations(self, cells: CellArray) -> NDArray[np.int8]:
        """Return the operation numbers ``[N, 6]`` of the cells' representatives.

        Raises:
            CellError: As :meth:`codes`.
        """
        return np.asarray(self.edge_cells.all_operations[self.codes(cells)])

    @cached_property
    def _code_of_row(self) -> dict[bytes, int]:
        chosen = self.edge_cells.cell_codes
        return dict(zip(_rows(self.cells_of_codes(chosen)), chosen.tolist(), strict=True))

    def first_invalid(self, cells: CellArray) -> tuple[int, str] | None:
        """Return the first row that is not the graph of a representative, or None."""
        row = first_true(self._found_codes(cells) < 0)
        return None if row is None else (row, self._rule)

    def to_text(self, cell: Cell) -> str:
        """Return the text form of a cell's representative."""
        return self.format_text(self.operations(CellArray.from_cells([cell]))[0].tolist())

    def to_texts(self, cells: CellArray) -> NDArray[np.bytes_]:
        """Return the :meth:`to_text` of many cells, ``[N]``."""
        chosen, inverse = np.unique(self.codes(cells), return_inverse=True)
        operations = self.edge_cells.all_operations[chosen].tolist()
        texts = [self.format_text(numbers).encode() for numbers in operations]
        return np.array(texts, dtype=np.bytes_)[inverse]

    def canonical_text(self, text: str) -> str:
        """Return the text form of the same architecture in the notation of this package.

        Raises:
            CellError: If the text is not an architecture of the space.
        """
        return self.format_text(self.parse_text(text))

    def architecture_texts(self) -> tuple[str, ...]:
        """Return the text forms of all architectures, by code."""
        return tuple(map(self.format_text, self.edge_cells.all_operations.tolist()))

    def cells_of_texts(self, texts: Sequence[str]) -> CellArray:
        """Return the cells ``[N]`` of architectures; some may be equal.

        Raises:
            CellError: If a text is not an architecture of the space.
        """
        return self.cells_of_codes(self.edge_cells.codes(self._operations_of_texts(texts)))

    def _operations_of_texts(self, texts: Sequence[str]) -> NDArray[np.int64]:
        parsed = [self.parse_text(text) for text in texts]
        return np.array(parsed, dtype=np.int64).reshape(-1, len(EDGES))

    def parameters_of_texts(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return the official parameters of architectures, ``[N]``.

        An operation that does not reach the output counts, as in published figures.
        """
        return self.network.sizes(self._operations_of_texts(texts))[0]

    def from_text(self, text: str) -> Cell:
        """Return the cell of an architecture.

        Raises:
            CellError: If the text is not an architecture of the space.
        """
        return self.cell_of_code(int(self.edge_cells.codes([self.parse_text(text)])[0]))

    @cached_property
    def _cells(self) -> CellArray:
        return self.cells_of_codes(self.edge_cells.cell_codes)

    @cached_property
    def _hashes(self) -> NDArray[np.bytes_]:
        return super().cell_hashes(self._cells)

    def cell_hashes(self, cells: CellArray) -> NDArray[np.bytes_]:
        """Return the hashes ``[N]``, looked up by the representative's code."""
        codes = self._found_codes(cells)
        if (codes < 0).any() or len(cells) < _FEW_CELLS:
            return super().cell_hashes(cells)
        return np.asarray(self._hashes[self._positions(codes)])

    def positions(self, cells: CellArray) -> NDArray[np.int64]:
        """Return the rows ``[N]`` of cells of the space in :meth:`cells`."""
        return self._positions(self.codes(cells))

    def _positions(self, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.searchsorted(self.edge_cells.cell_codes, codes)

    def extra_features(self, cells: CellArray, adjacency: Array) -> ExtraFeatures:
        """Return the parameters of the official network and of each vertex."""
        parameters = self.network.trainable_parameters(cells)
        return ExtraFeatures({"log parameters": np.log(parameters).astype(np.float32)})

    def genotype(self, cell: Cell, rng: np.random.Generator) -> Genotype:
        """Return the drawing of a random architecture that computes the cell's function."""
        code = int(self.codes(CellArray.from_cells([cell]))[0])
        alike = np.flatnonzero(self.edge_cells.representatives == code)
        return Genotype(*self.edge_cells.drawing(int(rng.choice(alike))), self.space)

    def mutate(self, parent: Genotype, rng: np.random.Generator) -> Genotype:
        """Return an architecture with other operations on random edges and another cell.

        One operation is changed, and further ones until the cell is another one.
        """
        code = self.edge_cells.code_of_drawing(parent.operations)
        representatives = self.edge_cells.representatives
        child = code
        while representatives[child] == representatives[code]:
            child = int(rng.choice(self.edge_cells.neighbours(child)))
        return Genotype(*self.edge_cells.drawing(child), self.space)

    def neighbours(self, cell: Cell) -> list[Cell]:
        """Return all different cells one operation away from an architecture of the cell."""
        code = int(self.codes(CellArray.from_cells([cell]))[0])
        alike = np.flatnonzero(self.edge_cells.representatives == code)
        near = np.concatenate([self.edge_cells.neighbours(int(one)) for one in alike])
        chosen = np.unique(self.edge_cells.representatives[near])
        return list(self.cells_of_codes(chosen[chosen != code]))


def _rows(cells: CellArray) -> list[bytes]:
    """Return the graph of each row, without its padding, as a dictionary key."""
    most = len(EDGES) + 2
    after = 0, max(0, most - cells.width)
    sizes = np.minimum(cells.num_vertices, most + 1)[:, None]
    operations = np.pad(cells.operations, ((0, 0), after))[:, :most]
    adjacency = np.pad(cells.adjacency, ((0, 0), after, after))[:, :most, :most]
    joined = np.concatenate([sizes, operations, adjacency.reshape(-1, most**2)], axis=1)
    return [row.tobytes() for row in joined.astype(np.int8)]
