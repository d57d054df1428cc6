"""Compiled numbering of drawings of cells: equal drawings have equal numbers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyg_nas.compute.jit import Integers, compiled, one_type
from pyg_nas.compute.splitmix import FIRST, GOLDEN, SECOND
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.ragged import Ints
from pyg_nas.graphs.search_space import SearchSpace

_Keys = NDArray[np.uint64]
_KEY_BITS = 128
_FEWEST_SLOTS = 2**16


class _DrawingBits(NamedTuple):
    """The parts of a drawing's key: first its vertices, then its edges by target and source."""

    vertices: int  # that a drawing may have
    width: int  # bits of a vertex: one more than its column, 0 if there is none
    first_id: int
    columns: int


class DrawingNumbers:
    """Numbers of the drawings of a space, in the order of their first appearance.

    A drawing's key has all of its operations and edges: no others share its number.

    Args:
        space: The space.
        most: Drawings that are numbered; later ones are not.
    """

    def __init__(self, space: SearchSpace, most: int) -> None:
        width = space.num_columns.bit_length()
        self._bits = _DrawingBits(space.max_vertices, width, space.first_id, space.num_columns)
        # Memory is used as it is written to.
        self._keys: _Keys = np.empty((most, _KEY_BITS // 64), dtype=np.uint64)
        self._slots = np.full(_FEWEST_SLOTS, -1, dtype=np.int32)
        self._count = 0

    @staticmethod
    def fits(space: SearchSpace) -> bool:
        """Whether the drawings of a space can be numbered: not where they are large."""
        vertices = space.max_vertices
        bits = vertices * space.num_columns.bit_length() + vertices * (vertices - 1) // 2
        return bits <= _KEY_BITS

    def number(self, cells: CellArray) -> tuple[Ints, NDArray[np.bool_]]:
        """Return the number of each drawing, -1 without one, and where it is new, ``[N]`` each.

        A drawing with an operation or a size that the space does not have is new and has no
        number. The edges must be those of a cell (:meth:`CellArray.first_invalid`).
        """
        keys = _keys_of_padded(
            one_type(cells.adjacency, np.int8),
            one_type(cells.operations),
            one_type(cells.num_vertices),
            self._bits,
        )
        known = min(self._count + len(cells), len(self._keys))
        if len(self._slots) < 4 * known:
            self._slots = _slots_of(self._keys[: self._count], 1 << (4 * known).bit_length())
        numbers, is_new = np.empty(len(cells), dtype=np.int64), np.empty(len(cells), dtype=bool)
        self._count = _number(keys, self._keys, self._slots, self._count, numbers, is_new)
        return numbers, is_new


@compiled
def _keys_of_padded(
    adjacency: NDArray[np.int8], operations: Integers, sizes: Integers, bits: _DrawingBits
) -> _Keys:
    """Return the key of each drawing, uint64 ``[N, 2]``; 0 if the space does not have it.

    Args:
        adjacency: ``[N, V, V]``, upper triangular.
        operations: ``[N, V]``.
        sizes: Vertices, ``[N]``.
        bits: The parts of a key.
    """
    word, one = np.uint64(64), np.uint64(1)
    keys = np.zeros((len(sizes), 2), dtype=np.uint64)
    for graph in range(len(keys)):
        size = sizes[graph]
        if size > min(bits.vertices, adjacency.shape[1]):
            continue
        valid = True
        first = second = np.uint64(0)
        place = np.uint64(0)
        for vertex in range(size):
            column = operations[graph, vertex] - bits.first_id
            valid = valid and 0 <= column < bits.columns
            value = np.uint64(column + 1)
            if place < word:
                first |= value << place
                if place + np.uint64(bits.width) > word:
                    second |= value >> (word - place)
            else:
                second |= value << (place - word)
            place += np.uint64(bits.width)
        place = np.uint64(bits.vertices * bits.width)
        for target in range(1, size):
            for source in range(target):
                value = np.uint64(adjacency[graph, source, target] != 0)
                if place < word:
                    first |= value << place
                else:
                    second |= value << (place - word)
                place += one
        if valid:
            keys[graph, 0], keys[graph, 1] = first, second
    return keys


@compiled
def _hashed(first: int, second: int) -> int:
    value = np.uint64(first) * GOLDEN + np.uint64(second)  # SplitMix64
    value = (value ^ (value >> np.uint64(30))) * FIRST
    value = (value ^ (value >> np.uint64(27))) * SECOND
    return value ^ (value >> np.uint64(31))  # type: ignore[no-any-return]


@compiled
def _slot(first: int, second: int, known: _Keys, slots: Integers) -> int:
    """Return the slot of a key: that of an equal known one, or a free one."""
    last = np.uint64(len(slots) - 1)
    slot = _hashed(first, second) & last
    while slots[slot] >= 0:
        number = slots[slot]
        if known[number, 0] == first and known[number, 1] == second:
            break
        slot = (slot + np.uint64(1)) & last
    return slot  # type: ignore[no-any-return]


@compiled
def _slots_of(known: _Keys, size: int) -> NDArray[np.int32]:
    """Return ``size`` slots, a power of two, of different keys; -1 is free."""
    slots = np.full(size, -1, dtype=np.int32)
    for number in range(len(known)):
        slots[_slot(known[number, 0], known[number, 1], known, slots)] = number
    return slots


@compiled
def _unlike_first(keys: _Keys, known: _Keys, slots: Integers, numbers: Integers) -> Integers:
    """Set numbers to those in the keys' first slots; return the rows of other keys, ``[k]``.

    These are loops without branches, in which the processor reads many places at a time: they take
    a quarter of the time of :func:`_slot` for each key.
    """
    last = np.uint64(len(slots) - 1)
    for row in range(len(keys)):
        numbers[row] = slots[_hashed(keys[row, 0], keys[row, 1]) & last]
    unlike = np.empty(len(keys) + 1, dtype=np.int64)
    count = 0
    for row in range(len(keys)):
        number = max(numbers[row], 0)
        same = (known[number, 0] == keys[row, 0]) & (known[number, 1] == keys[row, 1])
        unlike[count] = row
        count += not (same & (numbers[row] >= 0))
    return unlike[:count]


@compiled
def _number(
    keys: _Keys,
    known: _Keys,
    slots: Integers,
    count: int,
    numbers: Integers,
    is_new: NDArray[np.bool_],
) -> int:
    """Number drawings and return how many are known now.

    Args:
        keys: ``[N, 2]``.
        known: Different keys by number, ``[most, 2]``; ``count`` of them are set.
        slots: Numbers of the known keys; more slots than keys.
        count: Known keys.
        numbers: Filled: ``[N]``.
        is_new: Filled: ``[N]``.
    """
    is_new[:] = False
    for row in _unlike_first(keys, known, slots, numbers):
        first, second = keys[row, 0], keys[row, 1]
        numbers[row] = -1
        is_new[row] = True
        if first == 0 and second == 0:
            continue
        slot = _slot(first, second, known, slots)
        if slots[slot] >= 0:
            numbers[row] = slots[slot]
            is_new[row] = False
        elif count < len(known):
            known[count, 0], known[count, 1] = first, second
            numbers[row] = slots[slot] = count
            count += 1
    return count
