from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

from pyg_nas.compute.bounded_cache import BoundedCache


def test_what_was_used_longest_ago_is_dropped() -> None:
    cache: BoundedCache[str, int] = BoundedCache(2)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.get("a") == 1
    cache.put("c", 3)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (1, None, 3)
    cache.put("a", 4)
    cache.put("d", 5)
    assert (cache.get("a"), cache.get("c")) == (4, None)
    assert cache.pop("a") == 4
    assert cache.pop("a") is None
    assert cache.get("d") == 5


def test_a_value_is_computed_once() -> None:
    cache: BoundedCache[str, list[int]] = BoundedCache(2)
    first = cache.get_or("a", list)
    assert first == []
    assert cache.get_or("a", list) is first


def test_copies_are_empty() -> None:
    cache: BoundedCache[str, int] = BoundedCache(2)
    cache.put("a", 1)
    copy = pickle.loads(pickle.dumps(cache))
    assert copy.get("a") is None
    assert copy.limit == 2


def test_threads_never_see_another_keys_value() -> None:
    cache: BoundedCache[int, int] = BoundedCache(3)

    def work(start: int) -> bool:
        for key in range(start, start + 2_000):
            cache.put(key % 7, key % 7)
            if cache.get(key % 5) not in (None, key % 5):
                return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(4)))
