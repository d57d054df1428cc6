"""Compiled draws from torch's random generator on a CPU, the Mersenne Twister MT19937.

The generator's state is read from torch and written back, so that torch continues after the numbers
that were drawn here (Matsumoto and Nishimura, 1998, https://doi.org/10.1145/272991.272995).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pyg_nas.compute.jit import compiled

Bytes = NDArray[np.uint8]

_WORDS = 624  # of 32 bits, the state
_SHIFT = 397
_DIGITS = 53  # bits of torch's double-precision uniform numbers


def draw_kept(masks: Iterable[Bytes], probability: float, generator: torch.Generator) -> None:
    """Fill arrays, one after another, with 1 where torch's next uniform number is below a limit.

    The numbers are those of ``torch.rand(..., dtype=torch.float64, generator=generator)``.

    Args:
        masks: The arrays, contiguous, uint8.
        probability: The limit, from 0 to 1.
        generator: A generator on the CPU, which is advanced.
    """
    # torch's layout: seed (8 bytes), numbers left (4), seeded (4), next (8), words (8 each), ...
    stored = generator.get_state().numpy()
    left, following = stored[8:12].view(np.int32), stored[16:24].view(np.uint64)
    words = stored[24 : 24 + 8 * _WORDS].view(np.uint64)
    state = words.astype(np.uint32)
    position = _WORDS if left[0] == 1 else int(following[0])
    limit = math.ceil(probability * 2**_DIGITS)
    high, low = np.uint32(limit >> 32), np.uint32(limit % 2**32)
    for mask in masks:
        position = _fill(state, position, mask.reshape(-1), high, low)
    left[0], following[0], words[:] = _WORDS - position + 1, position, state
    generator.set_state(torch.from_numpy(stored))


@compiled
def _twisted(upper: Any, lower: Any) -> Any:
    """Return the twist of a word's highest bit and the next word's other bits."""
    word = (upper & np.uint32(0x80000000)) | (lower & np.uint32(0x7FFFFFFF))
    return (word >> np.uint32(1)) ^ (np.uint32(0x9908B0DF) * (word & np.uint32(1)))


@compiled
def _renew(state: NDArray[np.uint32]) -> None:
    """Replace the words of the state ``[624]`` by the next ones."""
    rest = _WORDS - _SHIFT
    for j in range(rest):
        state[j] = state[j + _SHIFT] ^ _twisted(state[j], state[j + 1])
    for j in range(_SHIFT - 1):
        state[j + rest] = state[j] ^ _twisted(state[j + rest], state[j + rest + 1])
    state[_WORDS - 1] = state[_SHIFT - 1] ^ _twisted(state[_WORDS - 1], state[0])


@compiled
def _tempered(word: Any) -> Any:
    """Return the random number of a word of the state."""
    word ^= word >> np.uint32(11)
    word ^= (word << np.uint32(7)) & np.uint32(0x9D2C5680)
    word ^= (word << np.uint32(15)) & np.uint32(0xEFC60000)
    return word ^ (word >> np.uint32(18))


@compiled
def _fill(
    state: NDArray[np.uint32], position: int, mask: Bytes, high: np.uint32, low: np.uint32
) -> int:
    """Fill ``mask`` ``[n]``; return the position of the next word in the state.

    Two words make a number: its 21 high bits are the low bits of the first word. The second word is
    needed only if the high bits equal those of the limit, once in two million numbers.
    """
    bits = np.uint32(2**21 - 1)
    done = 0
    while done < len(mask):
        if position >= _WORDS:
            _renew(state)
            position = 0
        pairs = min((_WORDS - position) // 2, len(mask) - done)
        words, kept = state[position : position + 2 * pairs], mask[done : done + pairs]
        # The low half is the first word of a pair; loading every second word takes twice as long.
        numbers = words.view(np.uint64)
        ties = np.uint32(0)
        for k in range(pairs):
            first = _tempered(np.uint32(numbers[k])) & bits
            kept[k] = np.uint8(first < high)
            ties += np.uint32(first == high)
        if ties:
            for k in range(pairs):
                if _tempered(words[2 * k]) & bits == high:
                    kept[k] = _tempered(words[2 * k + 1]) < low
        position += 2 * pairs
        done += pairs
        if done < len(mask) and position == _WORDS - 1:  # a number across two states
            first = _tempered(state[position]) & bits
            _renew(state)
            position = 1
            mask[done] = first < high or (first == high and _tempered(state[0]) < low)
            done += 1
    return position
