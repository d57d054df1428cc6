"""Threads of our own in place of the libraries', for work made of many small operations."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import scipy.linalg.cython_blas  # noqa: F401  compiled code multiplies with it: load it to limit it
import torch
from threadpoolctl import threadpool_limits


@contextmanager
def single_threaded_pool(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Give a pool of threads in which torch and BLAS use no further ones; both return after."""
    before = torch.get_num_threads()
    try:
        with (
            threadpool_limits(1, user_api="blas"),
            ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool,
        ):
            yield pool
    finally:
        # Each thread of torch has its own setting, but new ones start from the latest.
        torch.set_num_threads(before)
