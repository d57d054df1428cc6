"""Running jobs through joblib: in this process, on the machine's cores or on a cluster."""

from __future__ import annotations

import multiprocessing
import signal
import traceback
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyg_nas.errors import MeasureError, SettingsError, one_line
from pyg_nas.measure.journal import Job
from pyg_nas.measure.run import Run

if TYPE_CHECKING:
    from pyg_nas.measure.task import Task

BACKENDS = ("sequential", "threading", "loky", "ray", "dask")


@dataclass(frozen=True)
class JobOutcome:
    """How a job ended.

    Args:
        job: The job.
        runs: Its finished runs, none if it failed.
        error: What went wrong, None if nothing did.
    """

    job: Job
    runs: tuple[Run, ...]
    error: str | None = None


@dataclass(frozen=True)
class Executor:
    """How jobs are spread over workers.

    Args:
        backend: ``"sequential"`` (in this process), ``"threading"``, ``"loky"`` (processes on
            this machine), ``"ray"`` or ``"dask"`` (the cluster that this process is connected
            to, or a new one on this machine).
        workers: Jobs at a time; -1 takes all cores or workers that there are.
        device: Torch device of each run; ``"auto"`` is CUDA where there is one, else the
            processor. On plain ``"cuda"`` jobs are dealt out to all GPUs in turn.
        threads: Torch threads of each job on the processor.
        gpus_per_run: GPUs, or a fraction of one, that Ray reserves for each job. The other
            backends run ``workers`` jobs at a time whatever the GPUs.

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
        if self.workers != -1 and self.workers < 1:
            raise SettingsError(f"workers must be at least 1, or -1 for all, got {self.workers}")
        if self.threads < 1:
            raise SettingsError(f"threads must be at least 1, got {self.threads}")
        if self.gpus_per_run < 0:
            raise SettingsError(f"gpus_per_run must be at least 0, got {self.gpus_per_run}")
        if self.gpus_per_run and self.backend != "ray":
            raise SettingsError(
                f"gpus_per_run is a reservation that only the backend 'ray' knows, "
                f"got {self.backend!r}"
            )

    def run(self, jobs: Iterable[Job], task: Task) -> Iterator[JobOutcome]:
        """Run jobs and yield each one's outcome as soon as it is there, in any order.

        ``jobs`` is read no further ahead than there are workers. An error inside a job is its
        outcome. If a worker dies, every job that was in flight is run again alone, so that only
        the one that kills its worker is blamed.
        """
        numbered = enumerate(jobs)
        if self.backend == "sequential":
            for number, job in numbered:
                yield _attempt(job, task, self._device(number), self.threads)
            return
        with self._configured():
            exhausted = False
            while not exhausted:
                in_flight: dict[int, Job] = {}
                try:
                    yield from self._run_together(numbered, task, in_flight)
                    exhausted = True
                except _WorkersDiedError as error:
                    if not in_flight:
                        raise MeasureError(
                            f"the backend {self.backend!r} failed: {error}"
                        ) from error
                    for number, job in in_flight.items():
                        yield self._run_alone(number, job, task)

    def _run_together(
        self, numbered: Iterator[tuple[int, Job]], task: Task, in_flight: dict[int, Job]
    ) -> Iterator[JobOutcome]:
        """Runs jobs on all workers; ``in_flight`` holds those without an outcome yet."""
        from joblib import Parallel, effective_n_jobs

        failures: list[Exception] = []

        def calls() -> Iterator[Any]:
            try:
                for number, job in numbered:
                    in_flight[number] = job
                    yield self._call(number, job, task)
            except Exception as error:
                # Raised inside joblib, it would pass for a dead worker; what is running ends first.
                failures.append(error)

        workers = effective_n_jobs(self.workers)
        if self.backend == "ray":
            # Ray's joblib backend gives back results only when all calls are done.
            with Parallel(n_jobs=workers, batch_size=1) as parallel:
                waiting = calls()
                while batch := list(islice(waiting, workers)):
                    yield from _take(parallel, batch, in_flight)
        else:
            parallel = Parallel(
                n_jobs=workers, batch_size=1, pre_dispatch=workers, return_as="generator_unordered"
            )
            yield from _take(parallel, calls(), in_flight)
        if failures:
            raise failures[0]

    def _run_alone(self, number: int, job: Job, task: Task) -> JobOutcome:
        """Runs one job on workers of its own."""
        from joblib import Parallel

        try:
            # Two workers, since joblib runs a single one inside this process.
            ((_, outcome),) = Parallel(n_jobs=2, batch_size=1)([self._call(number, job, task)])
        except Exception as error:
            return JobOutcome(job, (), f"its worker died ({one_line(error)})")
        return outcome  # type: ignore[no-any-return]

    def _call(self, number: int, job: Job, task: Task) -> Any:
        from joblib import delayed

        return delayed(_numbered_attempt)(number, job, task, self._device(number), self.threads)

    def _device(self, number: int) -> str:
        """Returns the device of a job: GPUs are dealt out in turn."""
        if self.device not in ("auto", "cuda"):
            return self.device
        import torch

        if self.device == "auto" and not torch.cuda.is_available():
            return "cpu"
        # On Ray each job sees only the GPUs reserved for it, and here there may be none.
        count = 1 if self.backend == "ray" else max(1, torch.cuda.device_count())
        return f"cuda:{number % count}"

    def _configured(self) -> AbstractContextManager[object]:
        from joblib import parallel_config

        if self.backend == "ray":
            return _ray_backend(self.gpus_per_run)
        if self.backend == "dask":
            return _dask_backend(self.workers)
        configured: AbstractContextManager[object] = parallel_config(backend=self.backend)
        return configured


class _WorkersDiedError(Exception):
    """The workers broke down, not a job inside them."""


def _take(parallel: Any, calls: Iterable[Any], in_flight: dict[int, Job]) -> Iterator[JobOutcome]:
    """Yields outcomes as they come; whatever else is raised is a breakdown of the workers."""
    try:
        outcomes = iter(parallel(calls))
    except Exception as error:
        raise _WorkersDiedError(one_line(error)) from error
    while True:
        try:
            number, outcome = next(outcomes)
        except StopIteration:
            return
        except Exception as error:
            # Errors of a job are outcomes, so this one is of the machinery: a killed worker, a
            # lost connection.
            raise _WorkersDiedError(one_line(error)) from error
        del in_flight[number]
        yield outcome


def _numbered_attempt(
    number: int, job: Job, task: Task, device: str, threads: int
) -> tuple[int, JobOutcome]:
    if multiprocessing.parent_process() is not None:
        # Ctrl-C reaches every process of the terminal; the first one alone is to act on it.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    return number, _attempt(job, task, device, threads)


def _attempt(job: Job, task: Task, device: str, threads: int) -> JobOutcome:
    """Trains a job; whatever goes wrong is its outcome."""
    import torch

    from pyg_nas.measure.trainer import train

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        return JobOutcome(job, tuple(train(job.cell, task, job.budget, job.seeds, device)))
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        return JobOutcome(
            job,
            (),
            f"{type(error).__name__}: {one_line(error)} ({Path(place.filename).name}:"
            f"{place.lineno})",
        )
    finally:
        torch.set_num_threads(before)


@contextmanager
def _ray_backend(gpus_per_run: float) -> Iterator[None]:
    from joblib import parallel_config

    try:
        from ray.util.joblib import register_ray
    except ImportError as error:
        raise MeasureError("the backend 'ray' needs Ray: pip install 'pyg-nas[ray]'") from error
    register_ray()
    reserved = {"num_gpus": gpus_per_run} if gpus_per_run else None
    with parallel_config(backend="ray", ray_remote_args=reserved):
        yield


@contextmanager
def _dask_backend(workers: int) -> Iterator[None]:
    from joblib import parallel_config

    try:
        from distributed import Client, get_client
    except ImportError as error:
        raise MeasureError("the backend 'dask' needs Dask: pip install 'pyg-nas[dask]'") from error
    with ExitStack() as stack:
        try:
            get_client()
        except ValueError:  # Dask's way to say that there is no client yet
            count = None if workers == -1 else workers
            stack.enter_context(Client(n_workers=count, threads_per_worker=1))
        stack.enter_context(parallel_config(backend="dask"))
        yield
