"""Compiled draws against torch's own from the same generator."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pyg_nas.engine.compiled import mersenne
from pyg_nas.engine.compiled.mersenne import draw_kept

SIZES = (1, 311, 312, 313, 0, 7, 5_000)


@pytest.mark.parametrize("probability", [0.9, 1 / 3, 0.0, 1.0])
@pytest.mark.parametrize("words_before", [0, 1, 623])  # a number may lie across two states
def test_draws_torchs_numbers(probability: float, words_before: int) -> None:
    ours, torchs = (torch.Generator().manual_seed(3) for _ in range(2))
    for generator in (ours, torchs):
        torch.empty(words_before, dtype=torch.int32).random_(generator=generator)
    masks = [np.empty((size, 1), dtype=np.uint8) for size in SIZES]
    draw_kept(masks, probability, ours)
    for mask in masks:
        numbers = torch.rand(mask.shape, dtype=torch.float64, generator=torchs)
        assert np.array_equal(mask, numbers < probability)
    assert torch.equal(ours.get_state(), torchs.get_state())


def test_the_second_word_decides_between_equal_high_bits() -> None:
    """The limits are the drawn numbers themselves and their next larger neighbours."""
    numbers = torch.rand(
        700, dtype=torch.float64, generator=torch.Generator().manual_seed(4)
    ).numpy()
    for limits, kept in ((numbers, 0), (np.nextafter(numbers, 1), 1)):
        for row in (0, 311, 312, 699):
            mask = np.empty(700, dtype=np.uint8)
            draw_kept([mask], float(limits[row]), torch.Generator().manual_seed(4))
            assert mask[row] == kept
            assert np.array_equal(mask, numbers < limits[row])


def test_a_state_has_the_words_of_numpys_generator() -> None:
    """NumPy's MT19937 of the same seed, which shares no code with torch's."""
    state = np.random.RandomState(5).get_state(legacy=False)["state"]["key"].astype(np.uint32)
    generator = np.random.RandomState(5)
    mersenne._renew(state)
    expected = generator.randint(2**32, size=624, dtype=np.uint32)
    assert np.array_equal([mersenne._tempered(word) for word in state], expected)
