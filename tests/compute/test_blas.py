"""How many rows of a product the installed BLAS is given at once."""

from __future__ import annotations

import pytest

from pyg_nas.compute import blas


@pytest.mark.parametrize(
    ("total", "each", "expected"),
    [
        (70, 144 * 288, 16),  # 24 rows would still be below a million
        (288, 144 * 70, 96),
        (70, 62_499, 16),  # 16 rows: 999,984 multiply-adds
        (70, 62_500, 70),  # 16 rows: a million, which is packed, as all are then
        (10, 144, 10),
    ],
)
def test_parts_stay_below_a_million_multiply_adds(
    monkeypatch: pytest.MonkeyPatch, total: int, each: int, expected: int
) -> None:
    monkeypatch.setattr(blas, "_multiplies_in_place", lambda: True)
    assert blas.rows_per_product(total, each) == expected


def test_other_processors_multiply_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blas, "_multiplies_in_place", lambda: False)
    assert blas.rows_per_product(70, 144 * 288) == 70
