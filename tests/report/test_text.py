"""Numbers as a report shows them."""

from __future__ import annotations

from pyg_nas.report.text import duration, number, quantity


def test_numbers_for_readers() -> None:
    assert [quantity(v) for v in (12, 1_234, 5_040_000, 2.5e9, float("nan"))] == [
        "12",
        "1.23 k",
        "5.04 M",
        "2.50 G",
        "–",
    ]
    assert [duration(v) for v in (3.21, 600, 7_200, float("nan"))] == [
        "3.2 s",
        "10.0 min",
        "2.0 h",
        "–",
    ]
    assert number(1234.5, 1) == "1,234.5"
