"""A thread pool in place of the libraries' own threads, for work of many small operations."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController


class _OwnThreads:
    """Limit of torch's and BLAS's threads, from the first open pool until the last is closed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pools = 0
        self._torch = 0
        self._libraries: ThreadpoolController | None = None
        self._modules = 0  # imported when they were listed
        self._restore: Callable[[], None] | None = None

    def __enter__(self) -> None:
        with self._lock:
            if not self._pools:
                self._torch = torch.get_num_threads()
                _run_apart(self._limit)
            self._pools += 1

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._pools -= 1
            if not self._pools:
                _run_apart(self._remove)

    def _limit(self) -> None:
        # Compiled code multiplies with SciPy's BLAS, which must be loaded to be limited.
        import scipy.linalg.cython_blas  # noqa: F401
        from threadpoolctl import ThreadpoolController

        # To list the libraries takes milliseconds; a library is loaded by the import of a module.
        if self._libraries is None or len(sys.modules) != self._modules:
            self._modules, self._libraries = len(sys.modules), ThreadpoolController()
        limits = self._libraries.limit(limits=1, user_api="blas")
        self._restore = limits.restore_original_limits

    def _remove(self) -> None:
        # Each thread of torch has its own setting, but new ones start from the latest.
        torch.set_num_threads(self._torch)
        if self._restore is not None:
            self._restore()


def _run_apart(function: Callable[[], None]) -> None:
    """Run ``function`` in a short-lived thread and wait for it.

    While a thread that set a limit lives, threadpoolctl lets no other thread set one, and the
    last pool may be closed by another thread than the one that opened the first. That thread keeps
    its own setting of torch.
    """
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


_own_threads = _OwnThreads()


@contextmanager
def single_threaded_pool(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Yield a thread pool in which torch and BLAS are single-threaded; restore both afterwards.

    Several threads may each open one: BLAS is restored when the last one is closed.
    """
    with (
        _own_threads,
        ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool,
    ):
        yield pool


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """Give torch a number of threads in the calling thread, and restore it afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def single_threaded() -> Iterator[None]:
    """Make torch and BLAS single-threaded in the calling thread, and restore them afterwards."""
    with _own_threads, torch_threads(1):
        yield
