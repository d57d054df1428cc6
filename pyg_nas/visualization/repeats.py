"""Repeated blocks of a large graph, folded: each is drawn once, with the number of its repeats."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

_LONGEST_PERIOD = 12
_SMALLEST_BLOCK = 3


class Folded(NamedTuple):
    """What is left of a graph.

    Args:
        operations: Operation ids ``[v]``.
        edges: Pairs (source, target) ``[e, 2]``, by source.
        times: How many times each vertex occurs, ``[v]``.
        first: The block that is left whole here and stands for others; -1 elsewhere, ``[v]``.
        again: The block that this vertex stands for; -1 elsewhere, ``[v]``.
    """

    operations: Ints
    edges: Ints
    times: Ints
    first: Ints
    again: Ints


def fold_repeats(operations: Ints, edges: Ints, *, once: bool = False) -> Folded:
    """Return a graph in which blocks that follow each other and are equal are one block.

    Blocks begin and end at vertices over which no edge leads. They are equal if their operations
    and edges are.

    Args:
        operations: Operation ids ``[V]``, in topological order.
        edges: Pairs (source, target) ``[E, 2]``; every edge runs to a later vertex.
        once: Leave each block of three vertices or more whole only once; a vertex stands for it
            wherever it comes again. Blocks that come again are counted from 0.
    """
    ends = _cuts(len(operations), edges)
    blocks = _blocks(operations, edges, ends)
    kept, times = _runs(blocks)
    left: list[int] = []
    count: list[int] = []
    whole: dict[tuple[bytes, bytes], int] = {}  # blocks: their first vertex that is left
    marks: list[int] = []  # that vertex, of the block that each vertex belongs to or stands for
    stands: list[bool] = []
    inside = np.full(len(operations), -1, dtype=np.int64)
    for block, repeats in zip(kept, times, strict=True):
        start, end = (ends[block - 1] + 1 if block else 0), ends[block] + 1
        is_folded = once and end - start >= _SMALLEST_BLOCK and blocks[block] in whole
        mark = whole.setdefault(blocks[block], len(left))
        for vertex in range(start, end):
            if vertex == start or not is_folded:
                left.append(vertex)
                count.append(repeats)
                marks.append(mark)
                stands.append(is_folded)
            inside[vertex] = len(left) - 1
    # Vertices that read the end of the last repeat now read the end of the first.
    for i, block in enumerate(kept):
        following = kept[i + 1] if i + 1 < len(kept) else len(ends)
        if following > block + 1:
            inside[ends[following - 1]] = inside[ends[block]]
    source, target = inside[edges].T
    between = (source >= 0) & (target >= 0) & (source < target)
    pairs = np.unique(np.stack([source[between], target[between]], axis=1), axis=0)
    mark_of, is_again = np.array(marks), np.array(stands)
    again_at = np.unique(mark_of[is_again])
    number = np.searchsorted(again_at, mark_of)
    comes_again = np.isin(mark_of, again_at)
    return Folded(
        operations[left],
        pairs,
        np.array(count, dtype=np.int64),
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


def _blocks(operations: Ints, edges: Ints, ends: list[int]) -> list[tuple[bytes, bytes]]:
    """Return the operations and the relative edges of each block, which are compared."""
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
    return found


def _runs(blocks: list[tuple[bytes, bytes]]) -> tuple[list[int], list[int]]:
    """Return the blocks that are left, and how many times each occurs.

    The repeats that save most blocks are folded first, then those before and after them.
    """
    number = {block: i for i, block in enumerate(dict.fromkeys(blocks))}
    kinds = np.array([number[block] for block in blocks])
    kept: list[int] = []
    times: list[int] = []
    waiting = [(0, len(kinds))]  # the next part is the last one
    while waiting:
        low, high = waiting.pop()
        start, period, count = _most_saving(kinds[low:high])
        start += low
        if count == 1:
            kept += range(low, high)
            times += [1] * (high - low)
        elif start > low:
            waiting += [(start, high), (low, start)]
        else:
            kept += range(start, start + period)
            times += [count] * period
            waiting.append((start + period * count, high))
    return kept, times


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
