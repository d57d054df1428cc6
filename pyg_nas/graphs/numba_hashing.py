"""Module hashes of many small graphs, compiled: :func:`.hashing.hash_graph` with its md5.

Colours are kept as 32 hex digits, since they are sorted and joined as text.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from pyg_nas.compute.jit import Integers, compiled
from pyg_nas.graphs.ragged import RaggedGraphs

_GRAPHS_A_TASK = 4_096
_Bytes = NDArray[np.uint8]

# RFC 1321: shifts of the four rounds, and the integer parts of 2^32 |sin(i)|.
_SHIFTS = np.array([[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]], np.uint32)
_SINES = np.floor(np.abs(np.sin(np.arange(1, 65))) * 2.0**32).astype(np.uint32)
_START = np.array([0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476], np.uint32)
_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)
_BAR, _QUOTE, _COMMA, _SPACE = 124, 39, 44, 32


def hash_small_graphs(graphs: RaggedGraphs) -> NDArray[np.bytes_]:
    """Return the module hashes ``S32 [N]`` of graphs, on all cores."""
    total = len(graphs)
    digits = np.zeros((total, 32), dtype=np.uint8)
    # In one type and layout, because Numba compiles the function again for each other one.
    operations = graphs.operations.astype(np.int64)
    edges = graphs.edges.astype(np.int64, order="C")

    def work(start: int) -> None:
        stop = min(start + _GRAPHS_A_TASK, total)
        _hash_graphs(graphs.vertex_ptr, operations, graphs.edge_ptr, edges, start, stop, digits)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(work, range(0, total, _GRAPHS_A_TASK)))
    return digits.view("S32").reshape(total)


@compiled
def _turned(a: int, b: int, f: int, word: int, step: int) -> int:
    """Return the new ``b`` of a step: ``b`` plus the rotated sum."""
    total = np.uint32(np.uint32(f) + np.uint32(a) + _SINES[step] + np.uint32(word))
    shift = _SHIFTS[step >> 4, step & 3]
    rotated = (total << shift) | (total >> (np.uint32(32) - shift))
    return np.uint32(b + rotated)  # type: ignore[no-any-return]


@compiled
def _hash_graphs(
    vertex_ptr: Integers,
    operations: Integers,
    edge_ptr: Integers,
    edges: Integers,
    first: int,
    last: int,
    out: _Bytes,
) -> None:
    """Write the hash of each graph from ``first`` to ``last`` to its row of ``out`` ``[N, 32]``."""
    most = 0
    for g in range(first, last):
        most = max(most, vertex_ptr[g + 1] - vertex_ptr[g])
    colours = np.empty((most, 32), dtype=np.uint8)
    refined = np.empty((most, 32), dtype=np.uint8)
    chosen = np.empty(most, dtype=np.int64)
    # The longest texts: all colours of a vertex and its neighbours, and the list of all colours.
    text = np.empty(36 * most + 256, dtype=np.uint8)
    for g in range(first, last):
        begin, size = vertex_ptr[g], vertex_ptr[g + 1] - vertex_ptr[g]
        from_edge, to_edge = edge_ptr[g], edge_ptr[g + 1]
        for v in range(size):
            outgoing = incoming = 0
            for e in range(from_edge, to_edge):
                outgoing += edges[0, e] == v
                incoming += edges[1, e] == v
            length = 0
            text[length] = 40  # (
            length = _write_number(outgoing, text, length + 1)
            text[length], text[length + 1] = _COMMA, _SPACE
            length = _write_number(incoming, text, length + 2)
            text[length], text[length + 1] = _COMMA, _SPACE
            length = _write_number(operations[begin + v], text, length + 2)
            text[length] = 41  # )
            _md5(text, length + 1, colours[v])
        for _ in range(size):
            for v in range(size):
                length = 0
                for side in range(2):  # predecessors, then successors
                    count = 0
                    for e in range(from_edge, to_edge):
                        if edges[1 - side, e] == v:
                            chosen[count] = edges[side, e]
                            count += 1
                    length = _write_sorted(colours, chosen, count, text, length)
                    text[length] = _BAR
                    length += 1
                text[length : length + 32] = colours[v]
                _md5(text, length + 32, refined[v])
            colours, refined = refined, colours
        for v in range(size):
            chosen[v] = v
        _sort(colours, chosen, size)
        text[0] = 91  # [
        length = 1
        for v in range(size):
            if v > 0:
                text[length], text[length + 1] = _COMMA, _SPACE
                length += 2
            text[length] = text[length + 33] = _QUOTE
            text[length + 1 : length + 33] = colours[chosen[v]]
            length += 34
        text[length] = 93  # ]
        _md5(text, length + 1, out[g])


@compiled
def _write_number(number: int, text: _Bytes, length: int) -> int:
    """Append a decimal number and return the new length."""
    if number < 0:
        text[length] = 45  # -
        length += 1
        number = -number
    power = 1
    while power * 10 <= number:
        power *= 10
    while power > 0:
        text[length] = 48 + number // power % 10
        length += 1
        power //= 10
    return length


@compiled
def _write_sorted(colours: _Bytes, chosen: Integers, count: int, text: _Bytes, length: int) -> int:
    """Append the ``count`` chosen colours in their order and return the new length."""
    _sort(colours, chosen, count)
    for k in range(count):
        text[length : length + 32] = colours[chosen[k]]
        length += 32
    return length


@compiled
def _sort(colours: _Bytes, chosen: Integers, count: int) -> None:
    """Sort ``chosen`` by their colours, by insertion, because there are few."""
    for k in range(1, count):
        own = chosen[k]
        place = k
        while place > 0:
            before = chosen[place - 1]
            less = False
            for d in range(32):
                if colours[own, d] != colours[before, d]:
                    less = colours[own, d] < colours[before, d]
                    break
            if not less:
                break
            chosen[place] = before
            place -= 1
        chosen[place] = own


@compiled
def _md5(text: _Bytes, length: int, out: _Bytes) -> None:
    """Write the md5 of ``text[:length]`` to ``out`` as 32 hex digits (RFC 1321).

    Bytes beyond ``length``, up to the end of the last block of 64, are overwritten by its padding.
    """
    blocks = (length + 8) // 64 + 1
    text[length] = 0x80
    text[length + 1 : 64 * blocks] = 0
    for k in range(4):
        text[64 * blocks - 8 + k] = length * 8 >> 8 * k & 0xFF
    a0, b0, c0, d0 = _START[0], _START[1], _START[2], _START[3]
    words = np.empty(16, dtype=np.uint32)
    for block in range(blocks):
        for w in range(16):
            at = 64 * block + 4 * w
            words[w] = (
                np.uint32(text[at])
                | np.uint32(text[at + 1]) << np.uint32(8)
                | np.uint32(text[at + 2]) << np.uint32(16)
                | np.uint32(text[at + 3]) << np.uint32(24)
            )
        a, b, c, d = a0, b0, c0, d0
        for i in range(16):
            a, b, c, d = d, _turned(a, b, (b & c) | (~b & d), words[i], i), b, c
        for i in range(16, 32):
            a, b, c, d = d, _turned(a, b, (d & b) | (~d & c), words[(5 * i + 1) & 15], i), b, c
        for i in range(32, 48):
            a, b, c, d = d, _turned(a, b, b ^ c ^ d, words[(3 * i + 5) & 15], i), b, c
        for i in range(48, 64):
            a, b, c, d = d, _turned(a, b, c ^ (b | ~d), words[7 * i & 15], i), b, c
        a0, b0 = np.uint32(a0 + a), np.uint32(b0 + b)
        c0, d0 = np.uint32(c0 + c), np.uint32(d0 + d)
    for w in range(4):
        word = (a0, b0, c0, d0)[w]
        for k in range(4):
            byte = (word >> np.uint32(8 * k)) & np.uint32(0xFF)
            out[8 * w + 2 * k] = _HEX[byte >> np.uint32(4)]
            out[8 * w + 2 * k + 1] = _HEX[byte & np.uint32(0xF)]
