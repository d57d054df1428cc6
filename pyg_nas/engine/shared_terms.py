"""Tables of the sums over neighbours that many cells share, so that each is computed once.

The state of a vertex after a bidirectional graph convolution is the sum of two terms, one over the
vertex and its successors, one over the vertex and its predecessors (weighted by
``1 / (out_degree + 1)``). Two terms over the same states of the previous layer are equal. This is
colour refinement, with the degrees that enter the normalisation. The 2.9 million vertices of
NAS-Bench-101 have 4,722 different terms (11,844 states) in the first layer and 924,939 in the
second; in the third there are more terms than vertices, and nothing is left to share. The tables
list the different terms of the first two layers once, for use with any weights
(:mod:`pyg_nas.engine.score`). Cells of a block share terms, so cells are put into an order in which
similar ones follow each other: in random order, 262,144 cells of the space have 4.1 different terms
per cell in the second layer, in this order 3.0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.compute.bounded_cache import BoundedCache
from pyg_nas.errors import check_count
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.ragged import Ints, RaggedGraphs
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.io.array_cache import Arrays, cached_arrays

SHARED_LAYERS = 2
"""Layers whose terms are worth sharing; deeper ones are computed for each vertex."""

BLOCK_CELLS = 65_536
"""Cells of a block, which share terms. A larger block shares more and needs more memory; this one
needs 0.3 GB at width 144 (benchmarks/score_space.py)."""

ORDERED_CELLS = 4 * BLOCK_CELLS
"""Cells of a stream that are put in order together: several blocks share more terms than each."""


@dataclass(frozen=True)
class Terms:
    """Distinct sums over states of the previous layer in one direction, as ``n`` bags.

    Attributes:
        members: int32, the states that each bag sums, the vertex's own among them.
        offsets: int32 ``[n + 1]``, where each bag begins in ``members``.
        scale: float32 ``[n]``, one over the bag's total weight.
    """

    members: NDArray[np.int32]
    offsets: NDArray[np.int32]
    scale: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.scale)


@dataclass(frozen=True)
class Layer:
    """The distinct terms of one layer, and how they pair.

    Attributes:
        weight: float32 ``[S]``, ``1 / (out_degree + 1)`` of each state that the terms sum.
        successors: Terms over a vertex and its successors, all of weight one.
        predecessors: Terms over a vertex and its predecessors, by ``weight``.
        pairs: int32 ``[2, n]``, the (successor, predecessor) terms of the distinct states that
            the next layer sums; in the last layer, of the block's vertices in order.
            The numbers of predecessor terms continue those of the successor terms.
    """

    weight: NDArray[np.float32]
    successors: Terms
    predecessors: Terms
    pairs: NDArray[np.int32]


@dataclass(frozen=True)
class Block:
    """The tables of some consecutive cells.

    Attributes:
        columns: int32, the one-hot column of each distinct (operation, out-degree), the states
            that the first layer sums.
        layers: The layers that share terms.
        num_vertices: int32 ``[cells of the block]``.
        num_edges: int32 ``[cells of the block]``.
        edges: int16 ``[2, E]``, (source, target) of each cell's edges in turn, numbered within
            the cell.
    """

    columns: NDArray[np.int32]
    layers: tuple[Layer, ...]
    num_vertices: NDArray[np.int32]
    num_edges: NDArray[np.int32]
    edges: NDArray[np.int16]


@dataclass(frozen=True)
class Refinement:
    """The shared terms of cells in the first ``shared`` layers, block by block.

    Attributes:
        shared: Layers that share terms.
        num_columns: One-hot columns of the cells' operations.
        order: int64 ``[N]``, which cell each cell of the blocks is.
        blocks: The tables.
    """

    shared: int
    num_columns: int
    order: Ints
    blocks: tuple[Block, ...]

    def num_terms(self, layer: int) -> int:
        """Return the terms computed at a layer (1 for the first), with repeats between blocks."""
        layers = [block.layers[layer - 1] for block in self.blocks]
        return sum(len(layer.successors) + len(layer.predecessors) for layer in layers)


def refine(cells: CellArray, depth: int = 3, block_cells: int = BLOCK_CELLS) -> Refinement:
    """Return the refinement tables of any cells.

    Args:
        cells: The cells, of any search space.
        depth: Layers of the network; beyond :data:`SHARED_LAYERS` the tables are the same.
        block_cells: Cells to a block.

    Raises:
        SettingsError: If ``depth`` or ``block_cells`` is below 1.
    """
    check_count("depth", depth)
    check_count("block_cells", block_cells)
    shared, graphs = min(depth, SHARED_LAYERS), cells.ragged
    order = _similar_together(graphs, cells.space)
    # In few bytes, before they are read from all over memory.
    graphs = replace(graphs, edges=graphs.edges.astype(np.int16))
    blocks = tuple(
        _refine_block(graphs.take(order[start : start + block_cells]), cells.space, shared)
        for start in range(0, len(cells), block_cells)
    )
    return Refinement(shared, cells.space.num_columns, order, blocks)


def _similar_together(graphs: RaggedGraphs, space: SearchSpace) -> Ints:
    """Return an order in which graphs that share many terms follow each other, ``[N]``.

    It is that of the vertices' out-degrees, of equal ones that of the operations. Fewer terms are
    left than in the other orders that were tried: by operations first, by edges, by vertices.
    """
    starts = graphs.vertex_ptr[:-1]
    place = graphs.vertex_place
    sources = np.repeat(starts, np.diff(graphs.edge_ptr)) + graphs.edges[0]
    degree = np.bincount(sources, minlength=len(place))
    column = graphs.operations.astype(np.int64) - space.first_id
    # Digits of one number per graph; of large graphs it overflows, and equal ones stay together.
    digits = np.arange(place.max(initial=0), -1, -1)
    operations, degrees = (
        np.add.reduceat(values * (base**digits)[place], starts)
        for values, base in ((column, space.num_columns), (degree, degree.max(initial=0) + 1))
    )
    many = int(operations.max(initial=0)) + 1
    if (int(degrees.max(initial=0)) + 1) * many < 2**63:
        return np.argsort(degrees * many + operations)  # in a seventh of the time
    return np.lexsort((operations, degrees))


class PreparedTerms:
    """Tables of at most two arrays of cells, each from its computation until it is used."""

    def __init__(self) -> None:
        self._tables: BoundedCache[tuple[bytes, int], Refinement] = BoundedCache(2)

    def add(self, cells: CellArray, depth: int) -> None:
        """Compute :func:`refine` of cells for the next :meth:`take` of them."""
        self._tables.put((cells.digest, depth), refine(cells, depth))

    def take(self, cells: CellArray, depth: int) -> Refinement:
        """Return :func:`refine` of cells, from :meth:`add` if it was computed there."""
        return self._tables.pop((cells.digest, depth)) or refine(cells, depth)


class SpaceTables:
    """The tables of all cells of a space, in memory."""

    def __init__(self) -> None:
        self._by_layers: BoundedCache[int, Refinement] = BoundedCache(SHARED_LAYERS)

    def refinement(self, space: SearchSpace, shared: int) -> Refinement:
        """Return the tables of ``shared`` layers; the first time, from the cache folder."""
        return self._by_layers.get_or(shared, lambda: _stored_refinement(space, shared))


_OF_CELLS = ("num_vertices", "num_edges", "edges")  # of a block, in their order


def space_refinement(space: SearchSpace, depth: int = 3) -> Refinement:
    """Return the tables of all cells of a space, computed once and then read from the cache folder.

    Raises:
        SpaceError: If the cells of the space cannot be enumerated.
    """
    shared = min(depth, SHARED_LAYERS)  # networks of three layers and of more share one copy
    return space.support.cache(SpaceTables).refinement(space, shared)


def _stored_refinement(space: SearchSpace, shared: int) -> Refinement:
    cells = space.support.cells()
    name = f"{space.name}-ordered-{shared}-{cells.digest.hex()[:16]}"
    arrays = cached_arrays(name, lambda: _to_arrays(refine(cells, shared)))
    return _from_arrays(arrays, shared, space)


def _refine_block(graphs: RaggedGraphs, space: SearchSpace, shared: int) -> Block:
    from pyg_nas.engine.compiled import neighbours, number_pairs

    # In one type and layout, because Numba compiles the function again for each other one.
    edges = graphs.edges.astype(np.int16, order="C", copy=False)
    outward_ptr, successors_of, inward_ptr, predecessors_of = neighbours(
        graphs.vertex_ptr, graphs.edge_ptr, edges
    )
    column = graphs.operations.astype(np.int64) - space.first_id
    degree = np.diff(outward_ptr)
    first, merged = number_pairs(column, degree)
    columns, weight = column[first], _inverse(degree[first] + 1)
    # The successors' sum does not depend on degrees: the first state of a column represents all.
    by_column = np.full(space.num_columns, -1)
    by_column[columns[::-1]] = np.arange(len(first))[::-1]
    outwards, inwards = by_column[column], merged
    layers = []
    for number in range(1, shared + 1):
        successors, by_successors = _terms(
            outwards, outward_ptr, successors_of, np.ones_like(weight)
        )
        predecessors, by_predecessors = _terms(inwards, inward_ptr, predecessors_of, weight)
        pairs = np.stack([by_successors, by_predecessors + len(successors)])
        gathered = weight
        if number < shared:
            first, merged = number_pairs(pairs[0], pairs[1])
            pairs = pairs[:, first]
            outwards = inwards = merged
            weight = _inverse(degree[first] + 1)
        layers.append(Layer(gathered, successors, predecessors, pairs.astype(np.int32)))
    return Block(
        columns.astype(np.int32),
        tuple(layers),
        np.diff(graphs.vertex_ptr).astype(np.int32),
        np.diff(graphs.edge_ptr).astype(np.int32),
        edges,
    )


def _terms(
    state: NDArray[np.int64],
    ptr: NDArray[np.int64],
    neighbours: NDArray[np.int64],
    weight: NDArray[np.float32],
) -> tuple[Terms, NDArray[np.int64]]:
    """Return the distinct bags of (own state, neighbours' states), and each vertex's bag.

    Args:
        state: ``[n]`` state of each vertex.
        ptr: ``[n + 1]``, where each vertex's neighbours begin.
        neighbours: ``[E]``.
        weight: ``[states]`` weight of each state.
    """
    from pyg_nas.engine.compiled import number_bags

    members, offsets, numbers = number_bags(state, ptr, neighbours)
    totals = np.add.reduceat(weight[members].astype(np.float64), offsets[:-1])
    return Terms(members, offsets, _inverse(totals)), numbers


def _inverse(values: NDArray[Any]) -> NDArray[np.float32]:
    return (1.0 / values).astype(np.float32)


def _to_arrays(refinement: Refinement) -> Arrays:
    return {"order": refinement.order} | {
        f"{number}.{name}": array
        for number, block in enumerate(refinement.blocks)
        for name, array in _flatten(block).items()
    }


def _from_arrays(arrays: Arrays, shared: int, space: SearchSpace) -> Refinement:
    flat: dict[str, Arrays] = {}
    for name, array in arrays.items():
        number, point, rest = name.partition(".")
        if point:
            flat.setdefault(number, {})[rest] = array
    blocks = tuple(_unflatten(flat[number], shared) for number in sorted(flat, key=int))
    return Refinement(shared, space.num_columns, arrays["order"], blocks)


def _flatten(block: Block) -> Arrays:
    flat = {name: getattr(block, name) for name in ("columns", *_OF_CELLS)}
    for number, layer in enumerate(block.layers):
        flat |= {f"{number}.pairs": layer.pairs, f"{number}.weight": layer.weight}
        for direction in ("successors", "predecessors"):
            terms = getattr(layer, direction)
            flat |= {f"{number}.{direction}.{name}": array for name, array in vars(terms).items()}
    return flat


def _unflatten(flat: Arrays, shared: int) -> Block:
    def terms(prefix: str) -> Terms:
        return Terms(*(flat[f"{prefix}.{name}"] for name in ("members", "offsets", "scale")))

    layers = tuple(
        Layer(
            flat[f"{number}.weight"],
            terms(f"{number}.successors"),
            terms(f"{number}.predecessors"),
            flat[f"{number}.pairs"],
        )
        for number in range(shared)
    )
    return Block(flat["columns"], layers, *(flat[name] for name in _OF_CELLS))
