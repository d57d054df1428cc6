"""Mutation and neighbourhoods: the moves of a search in a space.

Evolution works on *genotypes*: labelled graphs of the space's largest size that include unused
vertices, so that a mutation can connect them again. The architecture that is trained and compared
is the pruned :class:`~pyg_nas.graphs.cell.Cell`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.errors import CellError, SpaceError
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_rules import edge_index
from pyg_nas.graphs.ragged import Ids
from pyg_nas.graphs.search_space import SearchSpace

_MOST_TRIES = 100_000


@dataclass(frozen=True, eq=False)
class Genotype:
    """A drawing of a cell, including the parts that the canonical graph leaves out.

    By default an unpruned labelled graph of ``space.max_vertices`` vertices.

    Args:
        adjacency: int8 ``[V, V]``, upper triangular.
        operations: ``[V]`` ids, input first and output last.
        space: Its search space, which has terminals.
    """

    adjacency: NDArray[np.int8]
    operations: Ids
    space: SearchSpace

    @cached_property
    def cell(self) -> Cell:
        """The cell that is left after pruning.

        Raises:
            CellError: If there is none: no path to the output, or too many edges.
        """
        return Cell(self.adjacency, self.operations, self.space)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready description: ``ops`` and ``edges``, unused vertices included."""
        return {
            "ops": list(self.space.decode(self.operations)),
            "edges": np.argwhere(self.adjacency).tolist(),
        }

    @classmethod
    def from_dict(cls, description: dict[str, Any], space: SearchSpace) -> Genotype:
        """Rebuild a genotype from :meth:`to_dict`'s result."""
        operations = np.array(space.encode(description["ops"]), dtype=space.id_type)
        adjacency = np.zeros((len(operations), len(operations)), dtype=np.int8)
        adjacency[tuple(edge_index(list(description["edges"]), len(operations)))] = 1
        return cls(adjacency, operations, space)

    @classmethod
    def of_cell(cls, cell: Cell, rng: np.random.Generator) -> Genotype:
        """Return a genotype of a cell from its space."""
        return cell.space.support.genotype(cell, rng)


def embedded(cell: Cell, rng: np.random.Generator) -> Genotype:
    """Embed a cell: its vertices keep their order, random unused vertices fill the rest."""
    space = _mutable_space(cell.space)
    size, inner = space.max_vertices, cell.num_vertices - 2
    slots = np.concatenate(
        [[0], np.sort(rng.choice(np.arange(1, size - 1), inner, replace=False)), [size - 1]]
    ).astype(np.int64)
    operations = _random_operations(space, rng)
    operations[slots] = cell.operation_ids
    adjacency = np.zeros((size, size), dtype=np.int8)
    adjacency[np.ix_(slots, slots)] = cell.adjacency
    return Genotype(adjacency, operations, space)


def mutate(parent: Genotype, rng: np.random.Generator) -> Genotype:
    """Return a valid mutant of ``parent`` with another cell, by the rule of its space.

    Raises:
        SpaceError: If no valid mutant is found.
    """
    return parent.space.support.mutate(parent, rng)


def neighbours(cell: Cell) -> list[Cell]:
    """Return all different cells one edit of the space away, in a fixed order.

    Raises:
        SpaceError: If the space has no terminals.
    """
    return cell.space.support.neighbours(cell)


def mutate_graph(parent: Genotype, rng: np.random.Generator) -> Genotype:
    """Mutate a genotype whose vertices have operations and whose edges are free.

    Every possible edge is flipped with probability ``1 / V`` and every inner operation is
    replaced by another one with probability ``1 / (V - 2)``, repeated from the parent until the
    result is valid and its module hash differs: ``mutate_spec`` of the NAS-Bench-101
    paper's notebook, plus the last condition.

    Raises:
        SpaceError: If no valid mutant is found.
    """
    space = _mutable_space(parent.space)
    size, choices = space.max_vertices, len(space.operations)
    upper = np.triu_indices(size, 1)
    edge_rate = 1 / size
    operation_rate = 1 / max(1, size - 2) if choices > 1 else 0.0
    for _ in range(_MOST_TRIES):
        adjacency = parent.adjacency.copy()
        adjacency[upper] ^= (rng.random(len(upper[0])) < edge_rate).astype(np.int8)
        operations = parent.operations.copy()
        changed = np.flatnonzero(rng.random(size - 2) < operation_rate) + 1
        if len(changed):
            # Adding 1 .. choices-1 modulo choices is a uniform draw among the others.
            step = rng.integers(1, choices, len(changed))
            operations[changed] = (operations[changed] + step) % choices
        child = Genotype(adjacency, operations, space)
        if _is_valid(child) and child.cell.hash != parent.cell.hash:
            return child
    raise SpaceError(
        f"space {space.name!r}: no valid mutant of {parent.cell!r} in {_MOST_TRIES} tries"
    )


def graph_neighbours(cell: Cell) -> list[Cell]:
    """Return the neighbours of a cell whose vertices have operations and whose edges are free.

    An edit is one of

    * another operation at an inner vertex;
    * an edge added between two vertices that no path joins the other way, or an edge removed
      that is neither the last one out of its source nor the last one into its target;
    * a vertex inserted between two vertices u and v that no path joins the other way: edges
      u-w-v, and the edge u-v kept or removed where there is one; or the reverse of that.

    Every edit keeps all other vertices on a path and can be undone, so the relation is symmetric,
    and every cell can be reduced to the single edge from input to output: the space is connected.

    Raises:
        SpaceError: If the space has no terminals.
    """
    space = _mutable_space(cell.space)
    found: dict[str, Cell] = {}
    for adjacency, operations in _edits(cell):
        try:
            other = Cell(adjacency, operations, space)
        except CellError:  # more vertices or edges than the space allows
            continue
        if other.hash != cell.hash:
            found.setdefault(other.hash, other)
    return list(found.values())


def _edits(cell: Cell) -> Iterator[tuple[NDArray[np.int8], Ids]]:
    adjacency, operations, space = cell.adjacency, cell.operation_ids, cell.space
    size, choices = cell.num_vertices, len(space.operations)
    path = _paths(adjacency)
    for vertex in range(1, size - 1):
        for other in range(choices):
            if other != operations[vertex]:
                changed = operations.copy()
                changed[vertex] = other
                yield adjacency, changed
    joinable = [
        (u, v) for u in range(size - 1) for v in range(1, size) if u != v and not path[v, u]
    ]
    for u, v in joinable:
        flipped = adjacency.copy()
        flipped[u, v] ^= 1
        if adjacency[u, v]:
            if adjacency[u].sum() > 1 and adjacency[:, v].sum() > 1:
                yield flipped, operations
        else:
            yield _topologically_sorted(flipped, operations)
    if size < space.max_vertices:
        for u, v in joinable:
            for keep in (0, 1) if adjacency[u, v] else (0,):
                for operation in range(choices):
                    yield _insert(adjacency, operations, u, v, keep, operation)
    for vertex in range(1, size - 1):
        if adjacency[vertex].sum() == 1 and adjacency[:, vertex].sum() == 1:
            yield from _removals(adjacency, operations, vertex)


def _insert(
    adjacency: NDArray[np.int8], operations: Ids, u: int, v: int, keep: int, operation: int
) -> tuple[NDArray[np.int8], Ids]:
    size = len(adjacency)
    grown = np.zeros((size + 1, size + 1), dtype=np.int8)
    grown[:size, :size] = adjacency
    grown[u, v] = keep
    grown[u, size] = grown[size, v] = 1
    return _topologically_sorted(grown, np.append(operations, operations.dtype.type(operation)))


def _removals(
    adjacency: NDArray[np.int8], operations: NDArray[np.int8], vertex: int
) -> Iterator[tuple[NDArray[np.int8], Ids]]:
    before = int(adjacency[:, vertex].argmax())
    after = int(adjacency[vertex].argmax())
    rest = np.delete(np.arange(len(adjacency)), vertex)
    bridged = adjacency.copy()
    bridged[before, after] = 1
    yield bridged[np.ix_(rest, rest)], operations[rest]
    if not adjacency[before, after] and adjacency[before].sum() > 1 < adjacency[:, after].sum():
        yield adjacency[np.ix_(rest, rest)], operations[rest]


def _topologically_sorted(
    adjacency: NDArray[np.int8], operations: NDArray[np.int8]
) -> tuple[NDArray[np.int8], Ids]:
    """Put the vertices of an acyclic graph into topological order, the output last."""
    # The longest path to a vertex is a topological rank; the output has the highest one alone,
    # because every vertex leads to it.
    rank = np.zeros(len(adjacency), dtype=np.int64)
    for _ in range(len(adjacency)):
        rank = np.where(adjacency.any(axis=0), (adjacency * (rank[:, None] + 1)).max(axis=0), 0)
    order = np.argsort(rank, kind="stable")
    return adjacency[np.ix_(order, order)], operations[order]


def _paths(adjacency: NDArray[np.int8]) -> NDArray[np.bool_]:
    """``[V, V]``, True where a path (of at least one edge) leads from row to column."""
    reach = adjacency.astype(bool)
    for vertex in range(len(adjacency)):
        reach |= reach[:, [vertex]] & reach[[vertex]]
    return reach


def _is_valid(genotype: Genotype) -> bool:
    try:
        _ = genotype.cell
    except CellError:
        return False
    return True


def _random_operations(space: SearchSpace, rng: np.random.Generator) -> Ids:
    operations = rng.integers(0, len(space.operations), space.max_vertices)
    operations = operations.astype(space.id_type)
    operations[0], operations[-1] = space.input_id, space.output_id
    return operations


def _mutable_space(space: SearchSpace) -> SearchSpace:
    if not space.terminals:
        raise SpaceError(
            f"space {space.name!r} has no input and output vertex, so its graphs cannot be mutated"
        )
    return space
