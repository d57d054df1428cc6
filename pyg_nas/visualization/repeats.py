"""Repeated blocks of a large graph, folded: each is drawn once, with the number of its repeats."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyg_nas.graphs.ragged import pointers

Ints = NDArray[np.int64]

_LONGEST_PERIOD = 24
_SMALLEST_BLOCK = 3
# Sequences of blocks that come again are searched among so many blocks, so many times.
_MOST_SEARCHED, _MOST_SEQUENCES = 1_000, 30
# Parts of a graph in which repeats are searched. Half of them have some, too many for a drawing.
_MOST_PARTS = 500


class Folded(NamedTuple):
    """What is left of a graph.

    Args:
        operations: Operation ids ``[v]``.
        edges: Pairs (source, target) ``[e, 2]``, by source.
        times: How many times each vertex occurs, ``[v]``.
        run: Number of the blocks that this vertex is repeated with; -1 if it occurs once, ``[v]``.
        first: The block that is left whole here and stands for others; -1 elsewhere, ``[v]``.
        again: The block that this vertex stands for; -1 elsewhere, ``[v]``.
    """

    operations: Ints
    edges: Ints
    times: Ints
    run: Ints
    first: Ints
    again: Ints


def fold_repeats(
    operations: Ints, edges: Ints, *, once: bool = False, reach: int | None = None
) -> Folded:
    """Return a graph in which blocks that follow each other and are equal are one block.

    Blocks begin and end at vertices over which no edge leads. They are equal if their operations
    and edges are.

    Args:
        operations: Operation ids ``[V]``, in topological order.
        edges: Pairs (source, target) ``[E, 2]``; every edge runs to a later vertex.
        once: Leave each sequence of blocks, of three vertices or more, whole only once; a vertex
            stands for it wherever it comes again. What comes again is counted from 0.
        reach: Blocks may begin and end where only edges lead over that are longer than this number
            of vertices. Such edges need not be equal.
    """
    near = edges if reach is None else edges[edges[:, 1] - edges[:, 0] <= reach]
    ends = _cuts(len(operations), near)
    kinds = _blocks(operations, near, ends)
    sizes = np.diff([-1, *ends])
    starts = np.array(ends) + 1 - sizes
    first_of, times, run = _runs(kinds)
    kept = np.flatnonzero(first_of == np.arange(len(kinds)))
    sequences = [(i, i + 1, i) for i in range(len(kept))]
    if once:
        sequences = _sequences(kinds[kept], sizes[kept], np.diff(run[kept], prepend=-1) != 0)
    left: list[int] = []
    marks: list[int] = []  # the first vertex of the sequence that each belongs to or stands for
    stands: list[bool] = []
    inside = np.full(len(operations), -1, dtype=np.int64)
    begins: dict[int, int] = {}
    for start, end, whole in sequences:
        begins[start] = len(left)
        low, high = int(starts[kept[start]]), ends[kept[end - 1]] + 1
        is_whole = whole == start
        vertices = range(low, high if is_whole else low + 1)
        inside[low:high] = len(left) + (np.arange(high - low) if is_whole else 0)
        left += vertices
        marks += [begins[whole]] * len(vertices)
        stands += [not is_whole] * len(vertices)
    # Vertices of later repeats are those of the first.
    block_of = np.repeat(np.arange(len(kinds)), sizes)
    inside = inside[np.arange(len(operations)) + (starts[first_of] - starts)[block_of]]
    source, target = inside[edges].T
    pairs = np.unique(np.stack([source, target], axis=1)[source < target], axis=0)
    mark_of, is_again = np.array(marks), np.array(stands)
    again_at = np.unique(mark_of[is_again])
    number = np.searchsorted(again_at, mark_of)
    comes_again = np.isin(mark_of, again_at)
    return Folded(
        operations[left],
        pairs,
        times[block_of][left],
        run[block_of][left],
        np.where(comes_again & ~is_again, number, -1),
        np.where(is_again, number, -1),
    )


def _cuts(size: int, edges: Ints) -> list[int]:
    """Return the last vertex of every block: no edge leads over it."""
    furthest = np.arange(size)
    np.maximum.at(furthest, edges[:, 0], edges[:, 1])
    reach = np.maximum.accumulate(furthest)
    # Edges that begin before a vertex may lead to it, not over it.
    before = np.concatenate([[-1], reach[:-1]])
    cuts = np.flatnonzero(before <= np.arange(size)).tolist()
    return cuts if cuts and cuts[-1] == size - 1 else [*cuts, size - 1]


def _blocks(operations: Ints, edges: Ints, ends: list[int]) -> Ints:
    """Return a number of each block, the same of blocks with equal operations and inner edges."""
    order = np.argsort(edges[:, 1], kind="stable")
    by_target = edges[order]
    targets = by_target[:, 1]
    found = []
    start = 0
    for end in ends:
        low, high = np.searchsorted(targets, [start, end + 1])
        relative = by_target[low:high] - start
        key = np.unique(relative, axis=0).tobytes()
        found.append((operations[start : end + 1].tobytes(), key))
        start = end + 1
    number = {block: i for i, block in enumerate(dict.fromkeys(found))}
    return np.array([number[block] for block in found])


def _runs(kinds: Ints) -> tuple[Ints, Ints, Ints]:
    """Return the block that is left for each block, how many times it occurs, and its run.

    A run is what is repeated together; it has the number of its first block, and -1 is none. The
    repeats that save most blocks are folded first, then those before and after them.

    Returns:
        Three arrays ``[n]``.
    """
    first_of = np.arange(len(kinds))
    times = np.ones(len(kinds), dtype=np.int64)
    run = np.full(len(kinds), -1, dtype=np.int64)
    waiting = [(0, len(kinds))]
    for _ in range(_MOST_PARTS):
        if not waiting:
            break
        low, high = waiting.pop()
        start, period, count = _most_saving(kinds[low:high])
        if count > 1:
            start += low
            end = start + period * count
            first_of[start:end] = start + np.arange(period * count) % period
            times[start:end], run[start:end] = count, start
            waiting += [(low, start), (end, high)]
    return first_of, times, run


def _most_saving(kinds: Ints) -> tuple[int, int, int]:
    """Return where the repeats that save most blocks begin, their period and their number."""
    best = (0, 1, 1)
    for period in range(1, min(_LONGEST_PERIOD, len(kinds) // 2) + 1):
        same = kinds[:-period] == kinds[period:]
        # Lengths of the stretches of equal blocks, at the first block of each.
        edges = np.flatnonzero(np.diff(np.concatenate([[False], same, [False]])))
        starts, ends = edges[::2], edges[1::2]
        if not len(starts):
            continue
        counts = (ends - starts) // period + 1
        longest = int(counts.argmax())
        if (counts[longest] - 1) * period > (best[2] - 1) * best[1]:
            best = (int(starts[longest]), period, int(counts[longest]))
    return best


def _sequences(kinds: Ints, sizes: Ints, borders: NDArray[np.bool_]) -> list[tuple[int, int, int]]:
    """Divide blocks into sequences, of which those that come again save most vertices.

    Args:
        kinds: Numbers of the blocks, ``[n]``.
        sizes: Their vertices, ``[n]``.
        borders: Blocks at which every sequence ends, ``[n]``.

    Returns:
        The first block of each, the block behind its last, and the first block of the equal
        sequence that comes first.
    """
    wholes = np.arange(len(kinds))
    ends = wholes + 1
    free = np.ones(len(kinds), dtype=bool)
    for _ in range(_MOST_SEQUENCES if len(kinds) <= _MOST_SEARCHED else 0):
        length, starts = _most_shortening(kinds, sizes, borders, free)
        if not starts:
            break
        for start in starts:
            free[start : start + length] = False
            ends[start], wholes[start] = start + length, starts[0]
    whole: dict[int, int] = {}
    for i in np.flatnonzero(free & (sizes >= _SMALLEST_BLOCK)).tolist():
        wholes[i] = whole.setdefault(int(kinds[i]), i)
    found, start = [], 0
    while start < len(kinds):
        found.append((start, int(ends[start]), int(wholes[start])))
        start = int(ends[start])
    return found


def _most_shortening(
    kinds: Ints, sizes: Ints, borders: NDArray[np.bool_], free: NDArray[np.bool_]
) -> tuple[int, list[int]]:
    """Return the length and the starts of the equal sequences that save most vertices.

    Each sequence is within one run and has only free blocks.
    """
    best, found = 0, (0, list[int]())
    # Vertices that a sequence has more than the box that stands for it; then blocks.
    saved = pointers(len(kinds) * (sizes - 1) + 1)
    least = len(kinds) * (_SMALLEST_BLOCK - 1)
    names = kinds.tolist()
    begin = np.flatnonzero(free).tolist()
    for length in range(1, len(kinds) // 2 + 1):
        places: dict[int, list[int]] = {}
        for start in begin:
            before = places.setdefault(names[start], [])
            if not before or start >= before[-1] + length:
                before.append(start)
        again = {name for name, starts in places.items() if len(starts) > 1}
        for name in again:
            each = int(saved[places[name][0] + length] - saved[places[name][0]])
            if each > least and (len(places[name]) - 1) * each > best:
                best, found = (len(places[name]) - 1) * each, (length, places[name])
        # The sequences that come again, and are longer by one block.
        begin = [
            start
            for start in begin
            if names[start] in again
            and start + length < len(kinds)
            and free[start + length]
            and not borders[start + length]
        ]
        longer: dict[tuple[int, int], int] = {}
        for start in begin:
            pair = (names[start], int(kinds[start + length]))
            names[start] = longer.setdefault(pair, len(longer))
        if not begin:
            break
    return found
