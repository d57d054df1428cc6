"""Threads of our own in place of torch's, for work made of many small operations."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch


@contextmanager
def single_threaded_pool(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Give a pool of threads in which torch uses no further ones; its own setting returns after."""
    before = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool
    finally:
        # Each thread of torch has its own setting, but new ones start from the latest.
        torch.set_num_threads(before)
