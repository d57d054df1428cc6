"""Running jobs in this process, on the machine's cores or on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from pyg_nas.errors import MeasureError, SettingsError, one_line
from pyg_nas.measure.job import Job, JobOutcome, attempt
from pyg_nas.measure.pools import ALL, Pool, dask_pool, process_pool, ray_pool, thread_pool

if TYPE_CHECKING:
    from pyg_nas.measure.task import Task

BACKENDS = ("sequential", "threading", "loky", "ray", "dask")


@dataclass(frozen=True)
class Executor:
    """How jobs are spread over workers.

    Args:
        backend: ``"sequential"`` (in this process), ``"threading"``, ``"loky"`` (processes on
            this machine), ``"ray"`` or ``"dask"`` (the cluster that this process is connected
            to, or a new one on this machine).
        workers: Jobs at a time; -1 for all available cores or workers.
        device: Torch device of each run; ``"auto"`` is CUDA if there is a CUDA device, else the
            CPU. With ``"cuda"``, jobs are assigned to all GPUs in turn.
        threads: Torch threads of each job on a CPU.
        gpus_per_run: GPUs, or a fraction of one, that Ray reserves for each job. The other
            backends run ``workers`` jobs at a time for any number of GPUs.

    Raises:
        SettingsError: If a value is outside its rule.
    """

    backend: str = "sequential"
    workers: int = 1
    device: str = "cpu"
    threads: int = 1
    gpus_per_run: float = 0.0

    def __post_init__(self) -> None:
        if self.backend not in BACKENDS:
            raise SettingsError(
                f"backend must be one of {', '.join(BACKENDS)}, got {self.backend!r}"
            )
        if self.workers != ALL and self.workers < 1:
            raise SettingsError(f"workers must be at least 1, or -1 for all, got {self.workers}")
        if self.threads < 1:
            raise SettingsError(f"threads must be at least 1, got {self.threads}")
        if self.gpus_per_run < 0:
            raise SettingsError(f"gpus_per_run must be at least 0, got {self.gpus_per_run}")
        if self.gpus_per_run and self.backend != "ray":
            raise SettingsError(
                f"gpus_per_run is a reservation that only the backend 'ray' supports, "
                f"got {self.backend!r}"
            )

    def run(self, jobs: Iterable[Job], task: Task) -> Iterator[JobOutcome]:
        """Run jobs and yield the outcome of each as soon as it ends, in any order.

        The next job is taken from ``jobs`` when a worker is free and all earlier outcomes were
        received, in the caller's thread. An error inside a job is its outcome. If a worker dies,
        every job that was in flight is run again alone, so that only the one that kills its worker
        fails.

        Raises:
            MeasureError: If the backend is not installed or its workers cannot be started.
        """
        numbered: Iterator[tuple[int, Job]] = enumerate(jobs)
        first = next(numbered, None)
        if first is None:
            return  # without starting workers
        numbered = chain([first], numbered)
        if self.backend == "sequential":
            for number, job in numbered:
                yield attempt(job, task, self._device(number), self.threads)
            return
        finished = False
        while not finished:
            in_flight: dict[int, Job] = {}
            try:
                with ExitStack() as stack:
                    pool = self._open_pool(stack, task, self.workers)
                    yield from self._run_in(pool, numbered, in_flight)
                finished = True
            except _WorkersDiedError as error:
                if not in_flight:
                    raise MeasureError(f"the backend {self.backend!r} failed: {error}") from error
                for number, job in in_flight.items():
                    yield self._run_alone(number, job, task)

    def _run_in(
        self, pool: Pool, numbered: Iterator[tuple[int, Job]], in_flight: dict[int, Job]
    ) -> Iterator[JobOutcome]:
        """Keep all workers busy; ``in_flight`` holds the jobs without an outcome yet."""
        futures: dict[Future[JobOutcome], int] = {}
        failure: Exception | None = None
        while True:
            while failure is None and len(futures) < pool.workers:
                try:
                    number, job = next(numbered)
                except StopIteration:
                    break
                except Exception as error:  # raised when the runs that have begun are finished
                    failure = error
                    break
                in_flight[number] = job
                futures[self._submit(pool, number, job)] = number
            if not futures:
                break
            for future in wait(futures, return_when=FIRST_COMPLETED).done:
                outcome = _result(future)
                del in_flight[futures.pop(future)]
                yield outcome
        if failure is not None:
            raise failure

    def _run_alone(self, number: int, job: Job, task: Task) -> JobOutcome:
        """Run one job in a new worker."""
        try:
            with ExitStack() as stack:
                return _result(self._submit(self._open_pool(stack, task, 1), number, job))
        except _WorkersDiedError as error:
            return JobOutcome(job, (), f"its worker died ({error})")

    def _submit(self, pool: Pool, number: int, job: Job) -> Future[JobOutcome]:
        try:
            return pool.submit(job, self._device(number), self.threads)
        except Exception as error:
            raise _WorkersDiedError(one_line(error)) from error

    def _device(self, number: int) -> str:
        """Return the device of a job: GPUs are assigned in turn."""
        if self.device not in ("auto", "cuda"):
            return self.device
        import torch

        if self.device == "auto" and not torch.cuda.is_available():
            return "cpu"
        # On Ray each job sees only the GPUs reserved for it, and here there may be none.
        count = 1 if self.backend == "ray" else max(1, torch.cuda.device_count())
        return f"cuda:{number % count}"

    def _open_pool(self, stack: ExitStack, task: Task, workers: int) -> Pool:
        """Start the backend's workers, which end with ``stack``."""
        pools: dict[str, Callable[[], AbstractContextManager[Pool]]] = {
            "threading": lambda: thread_pool(task, workers),
            "loky": lambda: process_pool(task, workers),
            "dask": lambda: dask_pool(task, workers),
            "ray": lambda: ray_pool(task, workers, self.gpus_per_run),
        }
        try:
            return stack.enter_context(pools[self.backend]())
        except MeasureError:
            raise
        except Exception as error:
            raise _WorkersDiedError(one_line(error)) from error


class _WorkersDiedError(Exception):
    """The workers broke down, not a job inside them."""


def _result(future: Future[JobOutcome]) -> JobOutcome:
    """Return a job's outcome; errors of the job are outcomes, so any other is of its worker."""
    try:
        return future.result()
    except Exception as error:
        raise _WorkersDiedError(one_line(error)) from error
