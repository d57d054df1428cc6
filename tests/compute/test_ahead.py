"""Items read ahead are the items, each taken one before its use and no earlier."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from pyg_nas.compute.ahead import read_ahead


def test_the_next_item_is_made_while_this_one_is_used() -> None:
    """The second item is made before the first one is finished; the third waits."""
    made = [threading.Event() for _ in range(3)]

    def items() -> Iterator[int]:
        for number, event in enumerate(made):
            event.set()
            yield number

    ahead = read_ahead(items())
    assert next(ahead) == 0
    assert made[1].wait(10)
    assert not made[2].is_set()
    assert list(ahead) == [1, 2]


def test_an_error_comes_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield from (1, 2)
        raise KeyError("3")

    ahead = read_ahead(items())
    assert [next(ahead), next(ahead)] == [1, 2]
    with pytest.raises(KeyError, match="3"):
        next(ahead)
    assert list(read_ahead(iter([]))) == []


def test_a_caller_that_stops_does_not_wait_for_the_next_item() -> None:
    begun, release, closed = (threading.Event() for _ in range(3))

    def items() -> Iterator[int]:
        try:
            yield 1
            begun.set()
            release.wait(10)
            yield 2
        finally:
            closed.set()

    ahead = read_ahead(items())
    assert next(ahead) == 1
    assert begun.wait(10)
    ahead.close()
    assert not closed.is_set()
    release.set()
    assert closed.wait(10)
