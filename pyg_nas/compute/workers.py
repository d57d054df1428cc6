"""Calls in this process, on the machine's cores or on a cluster; none is lost if a worker dies."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from itertools import chain
from typing import Any

from pyg_nas.compute.pools import (
    ALL,
    Function,
    Pool,
    dask_pool,
    process_pool,
    ray_pool,
    thread_pool,
)
from pyg_nas.errors import BackendError, PygNasError, SettingsError, one_line

BACKENDS = ("sequential", "threading", "loky", "ray", "dask")

MOST_WORKERS = 10_000
"""Calls at a time: the largest machines have 1,000 cores."""

Call = tuple[Any, ...]


class WorkerDiedError(Exception):
    """A worker broke down, not the function that it called."""


@dataclass(frozen=True)
class Workers:
    """Distributes calls over workers.

    Args:
        backend: ``"sequential"`` (in this process), ``"threading"``, ``"loky"`` (processes on
            this machine), ``"ray"`` or ``"dask"`` (the cluster that this process is connected
            to, or a new one on this machine).
        workers: Calls at a time; -1 for all available cores or workers; 1 if sequential.
        gpus_per_call: GPUs, or a fraction of one, that Ray reserves for each call.

    Raises:
        SettingsError: If a value is outside its rule.
    """

    backend: str = "sequential"
    workers: int = 1
    gpus_per_call: float = 0.0

    def __post_init__(self) -> None:
        if self.backend not in BACKENDS:
            raise SettingsError(
                f"backend must be one of {', '.join(BACKENDS)}, got {self.backend!r}"
            )
        if self.workers != ALL and self.workers < 1:
            raise SettingsError(f"workers must be at least 1, or -1 for all, got {self.workers}")
        if self.workers > MOST_WORKERS:
            raise SettingsError(f"workers must be at most {MOST_WORKERS:,}, got {self.workers}")
        if self.backend == "sequential" and self.workers != 1:
            others = ", ".join(BACKENDS[1:])
            raise SettingsError(
                f"workers must be 1 with the backend 'sequential', got {self.workers}; the "
                f"backends {others} have several"
            )

    def run(
        self, function: Function, shared: Any, calls: Iterable[Call]
    ) -> Generator[tuple[Call, Any], None, None]:
        """Call ``function(shared, *call)`` and yield (call, result) as soon as one ends.

        The next call is taken from ``calls`` when a worker is free and all earlier results were
        received, in the caller's thread. If a worker dies, every call that was in flight is run
        again alone, so that only the one that kills its worker fails: its result is a
        :class:`WorkerDiedError`.

        Args:
            function: A function of a module that the workers can import.
            shared: Sent to each worker once.
            calls: Further arguments of each call.

        Raises:
            PygNasError: If the function raises one; any other error of it counts as the death of
                its worker.
            BackendError: If the backend is not installed, or its workers cannot be started in two
                attempts.
        """
        numbered: Iterator[tuple[int, Call]] = enumerate(calls)
        first = next(numbered, None)
        if first is None:
            return  # without starting workers
        numbered = chain([first], numbered)
        if self.backend == "sequential":
            for _, call in numbered:
                yield call, function(shared, *call)
            return
        finished, failed_starts = False, 0
        while not finished:
            in_flight: dict[int, Call] = {}
            try:
                with ExitStack() as stack:
                    pool = self._open_pool(stack, function, shared, self.workers)
                    yield from _run_in_pool(pool, numbered, in_flight)
                finished = True
            except WorkerDiedError as error:
                failed_starts = 0 if in_flight else failed_starts + 1
                if failed_starts > 1:
                    raise BackendError(f"the backend {self.backend!r} failed: {error}") from error
                for call in in_flight.values():
                    yield call, self._run_alone(function, shared, call)

    def _run_alone(self, function: Function, shared: Any, call: Call) -> Any:
        """Run one call in a new worker."""
        try:
            with ExitStack() as stack:
                return _result(_submit(self._open_pool(stack, function, shared, 1), call))
        except WorkerDiedError as error:
            return error

    def _open_pool(self, stack: ExitStack, function: Function, shared: Any, workers: int) -> Pool:
        """Start the backend's workers, which end with ``stack``."""
        pools: dict[str, Callable[[], AbstractContextManager[Pool]]] = {
            "threading": lambda: thread_pool(function, shared, workers),
            "loky": lambda: process_pool(function, shared, workers),
            "dask": lambda: dask_pool(function, shared, workers),
            "ray": lambda: ray_pool(function, shared, workers, self.gpus_per_call),
        }
        try:
            return stack.enter_context(pools[self.backend]())
        except BackendError:
            raise
        except Exception as error:
            raise WorkerDiedError(one_line(error)) from error


def _run_in_pool(
    pool: Pool, numbered: Iterator[tuple[int, Call]], in_flight: dict[int, Call]
) -> Iterator[tuple[Call, Any]]:
    """Keep all workers busy; ``in_flight`` has the calls without a result yet."""
    futures: dict[Future[Any], int] = {}
    failure: Exception | None = None
    while True:
        while failure is None and len(futures) < pool.workers:
            try:
                number, call = next(numbered)
            except StopIteration:
                break
            except Exception as error:  # raised when the calls that have begun are finished
                failure = error
                break
            in_flight[number] = call
            futures[_submit(pool, call)] = number
        if not futures:
            break
        for future in wait(futures, return_when=FIRST_COMPLETED).done:
            result = _result(future)
            yield in_flight.pop(futures.pop(future)), result
    if failure is not None:
        raise failure


def _submit(pool: Pool, call: Call) -> Future[Any]:
    try:
        return pool.submit(*call)
    except Exception as error:
        raise WorkerDiedError(one_line(error)) from error


def _result(future: Future[Any]) -> Any:
    try:
        return future.result()
    except PygNasError:
        raise
    except Exception as error:
        raise WorkerDiedError(one_line(error)) from error
