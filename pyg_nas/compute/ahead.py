"""Reading ahead: a thread makes the next item while the caller works on the current one."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def read_ahead(items: Iterator[T]) -> Generator[T, None, None]:
    """Yield items in their order; one thread takes each from ``items``, one item before its use.

    An error that ``items`` raises is raised after all earlier items were yielded.
    """
    pool = ThreadPoolExecutor(1)
    try:
        following = pool.submit(_taken, items)
        while taken := following.result():
            following = pool.submit(_taken, items)
            yield taken[0]
    finally:
        # Without waiting: a user's generator may need long for an item that is not used.
        pool.shutdown(wait=False, cancel_futures=True)


def _taken(items: Iterator[T]) -> tuple[T] | None:
    """Return the next item, or None at the end."""
    for item in items:
        return (item,)
    return None
