"""Pools of workers for each backend, with one interface: submit a job, receive a future."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyg_nas.errors import MeasureError
from pyg_nas.measure.job import Job, JobOutcome, attempt

if TYPE_CHECKING:
    from pyg_nas.measure.task import Task

ALL = -1
"""Number of workers that means all available cores or workers."""


@dataclass(frozen=True)
class Pool:
    """Workers that are ready.

    Args:
        workers: Jobs that they train at a time.
        submit: Called with a job, its torch device and its torch threads.
    """

    workers: int
    submit: Callable[[Job, str, int], Future[JobOutcome]]


@contextmanager
def thread_pool(task: Task, workers: int) -> Iterator[Pool]:
    """Open threads of this process."""
    count = _cores(workers)
    threads = ThreadPoolExecutor(count)
    try:
        yield Pool(count, lambda job, *options: threads.submit(attempt, job, task, *options))
    finally:
        # A thread cannot be stopped; an interrupt does not wait for the jobs that are running.
        threads.shutdown(wait=False, cancel_futures=True)


_worker_task: Task | None = None


@contextmanager
def process_pool(task: Task, workers: int) -> Iterator[Pool]:
    """Open processes of this machine; each receives the task once, when it starts."""
    from joblib.externals.loky import ProcessPoolExecutor

    count = _cores(workers)
    processes = ProcessPoolExecutor(count, initializer=_start_worker, initargs=(task,))
    try:
        yield Pool(count, lambda *job: processes.submit(_attempt_in_worker, *job))
    finally:
        processes.shutdown(kill_workers=True)


def _start_worker(task: Task) -> None:
    global _worker_task
    _worker_task = task
    # Ctrl-C reaches every process of the terminal; only the first one is to act on it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _attempt_in_worker(job: Job, device: str, threads: int) -> JobOutcome:
    assert _worker_task is not None
    return attempt(job, _worker_task, device, threads)


@contextmanager
def dask_pool(task: Task, workers: int) -> Iterator[Pool]:
    """Open the Dask cluster that this process is connected to, or a new one on this machine.

    Raises:
        MeasureError: If Dask is not installed.
    """
    try:
        from distributed import Client, get_client
    except ImportError as error:
        raise MeasureError(
            "the backend 'dask' needs Dask: pip install '.[dask]' in a clone of pyg_nas"
        ) from error
    with ExitStack() as stack:
        try:
            client = get_client()
        except ValueError:  # raised where there is no client yet
            count = None if workers == ALL else workers
            client = stack.enter_context(Client(n_workers=count, threads_per_worker=1))
        count = sum(client.nthreads().values()) if workers == ALL else workers
        (shared,) = client.scatter([task], broadcast=True)
        # Not pure: a job that failed is trained again, and its old result is not reused.
        jobs = client.get_executor(pure=False)
        stack.callback(jobs.shutdown, wait=False)
        yield Pool(count, lambda job, *options: jobs.submit(attempt, job, shared, *options))


@contextmanager
def ray_pool(task: Task, workers: int, gpus_per_run: float) -> Iterator[Pool]:
    """Open the Ray cluster that this process is connected to, or a new one on this machine.

    Raises:
        MeasureError: If Ray is not installed.
    """
    try:
        import ray
    except ImportError as error:
        raise MeasureError(
            "the backend 'ray' needs Ray: pip install '.[ray]' in a clone of pyg_nas"
        ) from error
    if not ray.is_initialized():
        ray.init()
    count = int(ray.cluster_resources().get("CPU", 1)) if workers == ALL else workers
    # Without retries of Ray's own: a job whose worker died is tried again alone.
    remote = ray.remote(num_cpus=1, num_gpus=gpus_per_run, max_retries=0)(attempt)
    shared = ray.put(task)
    running = {}

    def submit(job: Job, device: str, threads: int) -> Future[JobOutcome]:
        reference = remote.remote(job, shared, device, threads)
        future: Future[JobOutcome] = reference.future()
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
