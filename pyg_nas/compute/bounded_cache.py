"""A least-recently-used cache in memory, safe to use from several threads."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class BoundedCache(Generic[K, V]):
    """At most ``limit`` values by key. Its copies are empty.

    Args:
        limit: Number of values kept; beyond it, the least recently used ones are dropped.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._values: OrderedDict[K, V] = OrderedDict()
        self._lock = Lock()

    def __reduce__(self) -> tuple[type[BoundedCache[K, V]], tuple[int]]:
        return type(self), (self.limit,)

    def get(self, key: K) -> V | None:
        """Return the value of ``key``, or None."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: K, value: V) -> None:
        """Store ``value`` under ``key``."""
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            while len(self._values) > self.limit:
                self._values.popitem(last=False)

    def get_or(self, key: K, compute: Callable[[], V]) -> V:
        """Return the value of ``key``; without one, compute and store it.

        Several threads may compute it at a time; all return values that ``compute`` returned.
        """
        value = self.get(key)
        if value is None:
            value = compute()
            self.put(key, value)
        return value

    def pop(self, key: K) -> V | None:
        """Remove the value of ``key`` and return it, or None."""
        with self._lock:
            return self._values.pop(key, None)
