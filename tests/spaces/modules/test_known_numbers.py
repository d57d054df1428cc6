"""Which numbers of constants are known."""

from __future__ import annotations

import numpy as np
import pytest

from pyg_nas.spaces.modules.known_numbers import are_weights, known_numbers, unknown_numbers


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.array(3), 3),
        (np.array([[0.5]]), 0.5),
        (np.array([2, 0]), [2, 0]),
        (np.array([True]), True),
        (np.zeros(3), "constant (3,)"),
        (np.zeros(3, np.int8), "constant (3,)"),
        (np.zeros(3, complex), "constant (3,)"),
    ],
)
def test_small_constants(array: np.ndarray, expected: object) -> None:
    assert known_numbers(array) == expected


def test_a_digest_has_all_numbers_and_the_shape() -> None:
    order = np.arange(100)
    swapped = order.copy()
    swapped[98:] = 99, 98
    texts = {known_numbers(one) for one in (order, swapped, order.reshape(10, 10))}
    assert len(texts) == 3
    assert known_numbers(order) == known_numbers(order.astype(np.int32))
    assert not texts & {unknown_numbers((100,))}
    mask = np.array([True, False])
    assert isinstance(known_numbers(mask), str)  # selects other items than 1 and 0
    assert known_numbers(mask) != known_numbers(~mask)


def test_weights_by_hand() -> None:
    assert are_weights("f", 4, 2)
    assert are_weights("u", 1, 2)
    assert not are_weights("u", 1, 1)
    assert not are_weights("b", 1, 9)
    assert not are_weights("i", 4, 9)
