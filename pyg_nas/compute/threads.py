"""Threads of our own in place of the libraries', for work made of many small operations."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import scipy.linalg.cython_blas  # noqa: F401  compiled code multiplies with it: load it to limit it
import torch
from threadpoolctl import threadpool_limits


class _OwnThreads:
    """What torch and BLAS use of threads, from the first open pool until the last has closed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pools = 0
        self._torch = 0
        self._blas: threadpool_limits | None = None

    def __enter__(self) -> None:
        with self._lock:
            if not self._pools:
                self._torch = torch.get_num_threads()
                _run_apart(self._limit)
            self._pools += 1

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._pools -= 1
            # Each thread of torch has its own setting, but new ones start from the latest.
            torch.set_num_threads(self._torch)
            if not self._pools and self._blas is not None:
                _run_apart(self._blas.restore_original_limits)

    def _limit(self) -> None:
        self._blas = threadpool_limits(1, user_api="blas")


def _run_apart(function: Callable[[], None]) -> None:
    """Run a function in a thread that ends with it.

    threadpoolctl lets only the thread that set a limit set another one, as long as it lives, and
    the last pool to close need not be of the thread of the first.
    """
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


_own_threads = _OwnThreads()


@contextmanager
def single_threaded_pool(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Give a pool of threads in which torch and BLAS use no further ones; both return after.

    Several threads may each have one: the last to close returns BLAS its threads.
    """
    with (
        _own_threads,
        ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool,
    ):
        yield pool


@contextmanager
def single_threaded() -> Iterator[None]:
    """Let torch and BLAS use no further threads in the calling one, and return them after."""
    before = torch.get_num_threads()
    try:
        with _own_threads:
            torch.set_num_threads(1)
            yield
    finally:
        torch.set_num_threads(before)
