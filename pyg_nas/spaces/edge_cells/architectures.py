"""Cells with operations on the six edges of a graph of four nodes.

NAS-Bench-201 (Dong and Yang, arXiv:2001.00326) and the micro space of TransNAS-Bench-101 (Duan et
al., arXiv:2105.11871) draw a cell in this way: node 0 is the input, node 3 the output, a node sums
the values of its incoming edges, and each edge applies one operation. Such a drawing is called
an *architecture* here, and its *code* is the number that its six operations form as digits.

For message passing the operations become the vertices. ``none`` is not a vertex, and vertices on no
path from the input to the output are left out. Several architectures compute the same function; all
of them have the graph of one representative, so they have one module hash.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyg_nas.errors import CellError
from pyg_nas.graphs.ragged import adjacency_lists

EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""The edges (source node, target node) in the order of an architecture's operations."""

NONE, SKIP = 0, 1
KERNEL_SIZES = {2: 1, 3: 3}
"""Kernel sizes of the convolutions by operation number."""

_INPUT, _OUTPUT = 0, 3
_INPUT_ID, _OUTPUT_ID = -1, -2
_INPUT_TERM, _ZERO = "0", "#"

# A drawing with all six operations as vertices: edges between those that share a node.
_VERTICES = ((_INPUT, _INPUT), *sorted(EDGES), (_OUTPUT, _OUTPUT))
_DRAWN = np.triu([[a[1] == b[0] for b in _VERTICES] for a in _VERTICES], 1).astype(np.int8)


@dataclass(frozen=True)
class EdgeCells:
    """All architectures over one list of operations.

    Args:
        operations: Names by operation number; ``none`` is number 0 and the identity number 1.
        halves_image: Whether some cells of a network halve the image by the stride of the edges
            from the input. The identity is a convolution there, so that it is no identity on an
            edge from the input.

    Graphs follow the conventions of :class:`~pyg_nas.graphs.cell.Cell`: the input is vertex 0, the
    output the last one, and an inner vertex has the number of its operation as id.
    """

    operations: tuple[str, ...]
    halves_image: bool = False

    @property
    def num_architectures(self) -> int:
        """Number of architectures: ``operations ** 6``."""
        return int(len(self.operations) ** len(EDGES))

    @cached_property
    def all_operations(self) -> NDArray[np.int8]:
        """Operation numbers of all architectures in the order of their codes, int8 ``[A, 6]``."""
        digits = itertools.product(range(len(self.operations)), repeat=len(EDGES))
        array = np.array(list(digits), dtype=np.int8)
        array.flags.writeable = False
        return array

    def codes(self, operations: ArrayLike) -> NDArray[np.int64]:
        """Return the codes ``[N]`` of operation numbers ``[N, 6]``.

        Raises:
            CellError: If the shape is another, or a number is not that of an operation.
        """
        numbers = np.asarray(operations)
        total = len(self.operations)
        if numbers.ndim != 2 or numbers.shape[1] != len(EDGES) or numbers.dtype.kind not in "iu":
            raise CellError(f"operations must be whole numbers [N, 6], got {numbers.shape}")
        wrong = (numbers < 0) | (numbers >= total)
        if wrong.any():
            row, edge = np.argwhere(wrong)[0]
            raise CellError(
                f"architecture {row}: operation {numbers[row, edge]} on edge {EDGES[edge]} must be "
                f"0 to {total - 1}"
            )
        weights = total ** np.arange(len(EDGES) - 1, -1, -1)
        return np.asarray(numbers.astype(np.int64) @ weights)

    def unique_string(self, operations: Sequence[int], *, drop_zeros: bool = True) -> str:
        """Return an expression of the function that an architecture computes.

        Args:
            operations: The six operation numbers.
            drop_zeros: Leave out terms that are always zero. If False, each is written as ``#``,
                which gives the classes of the official ``to_unique_str``.

        Source: ``CellStructure.to_unique_str`` as described in arXiv:2001.00326, section 3.
        """
        nodes = [_INPUT_TERM]
        for node in range(1, _OUTPUT + 1):
            terms = [
                self._term(nodes[source], operation)
                for (source, target), operation in zip(EDGES, operations, strict=True)
                if target == node
            ]
            if drop_zeros:
                terms = [term for term in terms if term != _ZERO]
            nodes.append("+".join(sorted(terms)) or _ZERO)
        return nodes[_OUTPUT]

    def _term(self, value: str, operation: int) -> str:
        """Return the term that an operation on a value adds to a sum."""
        if operation == NONE or value == _ZERO:
            return _ZERO
        if operation == SKIP and not (self.halves_image and value == _INPUT_TERM):
            return value
        return f"({value})@{self.operations[operation]}"

    @cached_property
    def representatives(self) -> NDArray[np.int64]:
        """Code of the representative of each architecture, int64 ``[A]`` by code.

        Architectures with one :meth:`unique_string` have one representative: the one with the
        fewest vertices, and of several the one with the smallest code.
        """
        array = np.array([self._chosen[text] for text in self._strings], dtype=np.int64)
        array.flags.writeable = False
        return array

    @cached_property
    def cell_codes(self) -> NDArray[np.int64]:
        """The different codes of :attr:`representatives`, ascending: one of each cell."""
        return np.unique(self.representatives)

    @cached_property
    def _strings(self) -> list[str]:
        return [self.unique_string(operations) for operations in self.all_operations.tolist()]

    @cached_property
    def _chosen(self) -> dict[str, int]:
        """Code of the representative by unique string."""
        smallest: dict[str, tuple[int, int]] = {}
        for code, text in enumerate(self._strings):
            size = len(_edges_on_paths(self.all_operations[code].tolist())), code
            smallest[text] = min(smallest.get(text, size), size)
        return {text: code for text, (_, code) in smallest.items()}

    def code_of_graph(self, edges: NDArray[np.int64], ids: Sequence[int]) -> int | None:
        """Return the representative's code of a graph with operations as vertices, or None.

        The graph may have vertices ``none``, unused vertices and redundant identities. None means
        that no architecture computes the same function.

        Args:
            edges: ``[2, E]`` (source, target), sources before targets.
            ids: Operation ids of the vertices, input first and output last.
        """
        _, sources = adjacency_lists(edges.T.tolist(), len(ids))
        terms = [_INPUT_TERM]  # the term of each vertex in the sums of its successors
        total = _ZERO
        for vertex in range(1, len(ids)):
            entering = [terms[source] for source in sources[vertex] if terms[source] != _ZERO]
            total = "+".join(sorted(entering)) or _ZERO
            if vertex < len(ids) - 1:
                terms.append(self._term(total, ids[vertex]))
        return self._chosen.get(total)

    def drawing(self, code: int) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
        """Return an architecture with all of its six operations as vertices.

        Returns:
            Adjacency ``[8, 8]``, the same for all, and operation ids ``[8]``.
        """
        numbers = dict(zip(EDGES, self.all_operations[code].tolist(), strict=True))
        ids = [_INPUT_ID, *(numbers[edge] for edge in sorted(EDGES)), _OUTPUT_ID]
        return _DRAWN.copy(), np.array(ids, dtype=np.int8)

    def code_of_drawing(self, ids: ArrayLike) -> int:
        """Return the code of :meth:`drawing`'s operation ids."""
        numbers = dict(zip(sorted(EDGES), np.asarray(ids)[1:-1].tolist(), strict=True))
        return int(self.codes([[numbers[edge] for edge in EDGES]])[0])

    def graph(self, code: int) -> tuple[list[int], list[tuple[int, int]]]:
        """Return operation ids of the vertices and edges (source, target) of a code's graph.

        An architecture whose output is always zero has only the input and the output, without an
        edge between them.
        """
        operations = self.all_operations[self.representatives[code]].tolist()
        kept = _edges_on_paths(operations)
        last = len(kept) + 1
        ids = [_INPUT_ID, *(operations[edge] for edge in kept), _OUTPUT_ID]
        links = []
        for position, edge in enumerate(kept, start=1):
            source, target = EDGES[edge]
            if source == _INPUT:
                links.append((0, position))
            links += [
                (position, later)
                for later, other in enumerate(kept, start=1)
                if EDGES[other][0] == target
            ]
            if target == _OUTPUT:
                links.append((position, last))
        return ids, sorted(links)

    def padded_graphs(
        self, codes: NDArray[np.int64]
    ) -> tuple[NDArray[np.int8], NDArray[np.int8], NDArray[np.int8]]:
        """Return adjacency ``[N, 8, 8]``, operation ids ``[N, 8]`` and vertex counts ``[N]``."""
        width = len(EDGES) + 2
        chosen, inverse = np.unique(self.representatives[codes], return_inverse=True)
        adjacency = np.zeros((len(chosen), width, width), dtype=np.int8)
        ids = np.zeros((len(chosen), width), dtype=np.int8)
        counts = np.zeros(len(chosen), dtype=np.int8)
        for row, code in enumerate(chosen.tolist()):
            vertices, edges = self.graph(code)
            counts[row] = len(vertices)
            ids[row, : len(vertices)] = vertices
            for source, target in edges:
                adjacency[row, source, target] = 1
        return adjacency[inverse], ids[inverse], counts[inverse]

    def neighbours(self, code: int) -> NDArray[np.int64]:
        """Return the codes of the architectures that differ in one operation."""
        operations = self.all_operations[code].astype(np.int64)
        rows = []
        for edge in range(len(EDGES)):
            for other in range(len(self.operations)):
                if other != operations[edge]:
                    changed = operations.copy()
                    changed[edge] = other
                    rows.append(changed)
        return self.codes(np.array(rows))


def _edges_on_paths(operations: Sequence[int]) -> list[int]:
    """Return the positions of the edges that lie on a path from the input to the output.

    Ordered by source and then target node, which is a topological order.
    """
    reached, leading = {_INPUT}, {_OUTPUT}
    for (source, target), operation in zip(EDGES, operations, strict=True):  # by target node
        if operation != NONE and source in reached:
            reached.add(target)
    for (source, target), operation in sorted(
        zip(EDGES, operations, strict=True), key=lambda edge: -edge[0][0]
    ):
        if operation != NONE and target in leading:
            leading.add(source)
    kept = [
        edge
        for edge, ((source, target), operation) in enumerate(zip(EDGES, operations, strict=True))
        if operation != NONE and source in reached and target in leading
    ]
    return sorted(kept, key=lambda edge: EDGES[edge])
