"""Repeated blocks of a large graph, folded: each is drawn once, with the number of its repeats."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

_LONGEST_PERIOD = 12


def fold_repeats(operations: Ints, edges: Ints) -> tuple[Ints, Ints, Ints]:
    """Return a graph in which blocks that follow each other and are equal are one block.

    Blocks begin and end at vertices over which no edge leads. They are equal if their operations
    and edges are.

    Args:
        operations: Operation ids ``[V]``, in topological order.
        edges: Pairs (source, target) ``[E, 2]``; every edge runs to a later vertex.

    Returns:
        Operations ``[v]`` and edges ``[e, 2]`` by source of what is left, and how many times each
        vertex occurs ``[v]``.
    """
    ends = _cuts(len(operations), edges)
    blocks = _blocks(operations, edges, ends)
    kept, times = _runs(blocks)
    left: list[int] = []
    count: list[int] = []
    inside = np.full(len(operations), -1, dtype=np.int64)
    for block, repeats in zip(kept, times, strict=True):
        start = ends[block - 1] + 1 if block else 0
        for vertex in range(start, ends[block] + 1):
            inside[vertex] = len(left)
            left.append(vertex)
            count.append(repeats)
    # Vertices that read the end of the last repeat now read the end of the first.
    for i, block in enumerate(kept):
        following = kept[i + 1] if i + 1 < len(kept) else len(ends)
        if following > block + 1:
            inside[ends[following - 1]] = inside[ends[block]]
    source, target = inside[edges].T
    whole = (source >= 0) & (target >= 0) & (source < target)
    pairs = np.unique(np.stack([source[whole], target[whole]], axis=1), axis=0)
    return operations[left], pairs, np.array(count, dtype=np.int64)


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
