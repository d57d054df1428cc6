"""Pools of workers for each backend, with one interface: submit a call, receive a future."""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, get_ident
from typing import Any

from pyg_nas.errors import BackendError, needs_extra

ALL = -1
"""Number of workers that means all available cores or workers."""

Function = Callable[..., Any]
"""Function that workers call with the shared object and the arguments of a call."""


@dataclass(frozen=True)
class Pool:
    """Workers that are ready.

    Args:
        workers: Calls that they run at a time.
        submit: Called with the arguments of one call, after the shared object.
    """

    workers: int
    submit: Callable[..., Future[Any]]


@contextmanager
def thread_pool(function: Function, shared: Any, workers: int) -> Iterator[Pool]:
    """Open threads of this process; calls that still run when they are closed are interrupted."""
    count = _cores(workers)
    threads = ThreadPoolExecutor(count)
    running: set[int] = set()
    closed = Event()

    def run(*call: Any) -> Any:
        running.add(get_ident())
        try:
            if closed.is_set():  # after the calls that run were interrupted
                raise KeyboardInterrupt
            return function(shared, *call)
        finally:
            running.discard(get_ident())

    try:
        yield Pool(count, lambda *call: threads.submit(run, *call))
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
        closed.set()
        # After an interrupt. The process would wait at its end for calls that take hours.
        for thread in tuple(running):
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(thread), ctypes.py_object(KeyboardInterrupt)
            )


_worker: tuple[Function, Any] | None = None


@contextmanager
def process_pool(function: Function, shared: Any, workers: int) -> Iterator[Pool]:
    """Open processes of this machine; each reads the shared object once, when it starts."""
    from joblib.externals.loky import ProcessPoolExecutor
    from joblib.externals.loky.backend.reduction import dump

    count = _cores(workers)
    with TemporaryDirectory(prefix="pyg-nas-") as folder:
        # In a file: loky writes arguments into a pipe, and if the process dies before it has read
        # more than the pipe holds (64 KB), loky waits forever.
        path = Path(folder) / "shared"
        with path.open("wb") as file:
            dump((function, shared), file)
        processes = ProcessPoolExecutor(count, initializer=_start_worker, initargs=(path,))
        try:
            yield Pool(count, lambda *call: processes.submit(_call_in_worker, *call))
        finally:
            processes.shutdown(kill_workers=True)


def _start_worker(path: Path) -> None:
    global _worker
    with path.open("rb") as file:
        _worker = pickle.load(file)
    # Ctrl-C reaches every process of the terminal; only the first one is to act on it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _call_in_worker(*call: Any) -> Any:
    assert _worker is not None
    function, shared = _worker
    return function(shared, *call)


@contextmanager
def dask_pool(function: Function, shared: Any, workers: int) -> Iterator[Pool]:
    """Open the Dask cluster that this process is connected to, or a new one on this machine.

    Raises:
        BackendError: If Dask is not installed.
    """
    try:
        from distributed import Client, get_client
    except ImportError as error:
        raise BackendError(needs_extra("the backend 'dask' needs Dask", "dask")) from error
    with ExitStack() as stack:
        try:
            client = get_client()
        except ValueError:  # raised where there is no client yet
            count = None if workers == ALL else workers
            client = stack.enter_context(Client(n_workers=count, threads_per_worker=1))
        count = sum(client.nthreads().values()) if workers == ALL else workers
        (copies,) = client.scatter([shared], broadcast=True)
        # Not pure: a call that failed is run again, and its old result is not reused.
        calls = client.get_executor(pure=False)
        stack.callback(calls.shutdown, wait=False)
        yield Pool(count, lambda *call: calls.submit(function, copies, *call))


@contextmanager
def ray_pool(function: Function, shared: Any, workers: int, gpus_per_call: float) -> Iterator[Pool]:
    """Open the Ray cluster that this process is connected to, or a new one on this machine.

    Raises:
        BackendError: If Ray is not installed.
    """
    try:
        import ray
    except ImportError as error:
        raise BackendError(needs_extra("the backend 'ray' needs Ray", "ray")) from error
    if not ray.is_initialized():
        ray.init()
    count = int(ray.cluster_resources().get("CPU", 1)) if workers == ALL else workers
    # Without retries of Ray's own: a call whose worker died is tried again alone.
    remote = ray.remote(num_cpus=1, num_gpus=gpus_per_call, max_retries=0)(function)
    copies = ray.put(shared)
    running = {}

    def submit(*call: Any) -> Future[Any]:
        reference = remote.remote(copies, *call)
        future: Future[Any] = reference.future()
        running[future] = reference
        future.add_done_callback(lambda ended: running.pop(ended, None))
        return future

    try:
        yield Pool(count, submit)
    finally:
        for reference in list(running.values()):
            ray.cancel(reference, force=True)


def _cores(workers: int) -> int:
    return workers if workers != ALL else os.cpu_count() or 1
