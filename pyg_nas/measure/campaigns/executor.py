"""Running jobs in this process, on the machine's cores or on a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyg_nas.compute.workers import MOST_WORKERS, WorkerDiedError, Workers
from pyg_nas.errors import SettingsError, check_count
from pyg_nas.graphs.registry import space_reference
from pyg_nas.measure.campaigns.job import Job, JobOutcome, attempt

if TYPE_CHECKING:
    from pyg_nas.measure.tasks.task import Task


@dataclass(frozen=True)
class Executor:
    """Distributes jobs over workers.

    Args:
        backend: One of :data:`~pyg_nas.compute.workers.BACKENDS`.
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
        Workers(self.backend, self.workers)
        check_count("threads", self.threads, MOST_WORKERS)
        if self.gpus_per_run < 0:
            raise SettingsError(f"gpus_per_run must be at least 0, got {self.gpus_per_run}")
        if self.gpus_per_run and self.backend != "ray":
            raise SettingsError(
                f"gpus_per_run is a reservation that only the backend 'ray' supports, "
                f"got {self.backend!r}"
            )

    def run(self, jobs: Iterable[Job], task: Task) -> Iterator[JobOutcome]:
        """Run jobs and yield the outcome of each as soon as it ends, in any order.

        An error inside a job is its outcome. If a worker dies, only the job that killed it fails
        (:class:`~pyg_nas.compute.workers.Workers`).

        Raises:
            MeasureError: If the backend is not installed or its workers cannot be started.
        """
        calls = (
            (job, self._device(number), self.threads, space_reference(job.cell.space))
            for number, job in enumerate(jobs)
        )
        workers = Workers(self.backend, self.workers, self.gpus_per_run)
        for (job, *_), outcome in workers.run(attempt, task, calls):
            died = isinstance(outcome, WorkerDiedError)
            yield JobOutcome(job, (), f"its worker died ({outcome})") if died else outcome

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
