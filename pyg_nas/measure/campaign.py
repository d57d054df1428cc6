"""Measuring many cells: what is missing is trained, what is finished is kept."""

from __future__ import annotations

import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pyg_nas.errors import MeasureError
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.hashing import repeated_hash
from pyg_nas.graphs.search_space import NASBENCH101
from pyg_nas.measure.executor import Executor, JobOutcome
from pyg_nas.measure.journal import Job, Journal

if TYPE_CHECKING:
    from pyg_nas.data.table import Table
    from pyg_nas.graphs.cell import Cell
    from pyg_nas.measure.task import Task

_POLL_SECONDS = 1.0


@dataclass(frozen=True)
class CampaignProgress:
    """How far a campaign is.

    Args:
        finished: Epochs of training that are finished, all runs together.
        total: Epochs that were asked for.
        runs: Finished runs.
        failed: Runs given up.
    """

    finished: int
    total: int
    runs: int
    failed: int


def measure_cells(
    cells: CellArray | Sequence[Cell],
    task: Task,
    budgets: Sequence[int],
    seeds: int | Sequence[int] = 3,
    journal: Journal | None = None,
    executor: Executor | None = None,
    retries: int = 2,
    on_progress: Callable[[CampaignProgress], None] | None = None,
    clock: str = "wall",
) -> Table:
    """Train cells and return the table of their results.

    Each finished run is in the journal at once. Runs that the journal has are not trained again;
    runs that another process is training are waited for, and taken over if that process dies.

    Args:
        cells: The cells, all different; they are measured in this order.
        task: What they are trained on.
        budgets: Epochs, ascending.
        seeds: Number of runs at each budget, or their seeds.
        journal: Where the runs are kept; by default a temporary file that is deleted at the end.
        executor: How the work is spread, by default one job at a time in this process.
        retries: How often a failed job is tried again.
        on_progress: Called at the start and after each job.
        clock: ``"wall"`` or ``"cpu"``: which seconds are the table's training time.

    Returns:
        A table of exactly these cells, budgets and seeds, in their order.

    Raises:
        MeasureError: If the request is malformed, a cell is too wide for the task's networks, or
            a job failed more than ``retries`` times; it names the cells, and all
            other runs are in the journal.
    """
    executor = executor or Executor()
    cells = cells if isinstance(cells, CellArray) else CellArray.from_cells(cells)
    listed = tuple(range(seeds)) if isinstance(seeds, int) else tuple(seeds)
    _check_request(cells, budgets, listed)
    task.check_cells(cells)
    if journal is not None and journal.about["fingerprint"] != task.fingerprint:
        raise MeasureError(f"{journal.path}: is a journal of another task than {task.name!r}")
    with ExitStack() as stack:
        if journal is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            journal = stack.enter_context(Journal(Path(folder) / "journal.sqlite", task))
        campaign = _Campaign(cells, budgets, listed, journal, retries, on_progress)
        campaign.run(executor, task)
        campaign.raise_failures()
        return journal.to_table(budgets, listed, cells, clock)


def _check_request(cells: CellArray, budgets: Sequence[int], seeds: Sequence[int]) -> None:
    if not budgets or list(budgets) != sorted(set(budgets)) or budgets[0] < 1:
        raise MeasureError(f"budgets must be ascending positive epochs, got {list(budgets)}")
    if not seeds or len(set(seeds)) != len(seeds) or min(seeds) < 0:
        raise MeasureError(f"seeds must be different and at least 0, got {list(seeds)}")
    if cells.space != NASBENCH101:
        raise MeasureError(
            f"only cells of {NASBENCH101.name!r} can be trained, got cells of {cells.space.name!r}"
        )
    invalid = cells.first_invalid()
    if invalid is not None:
        raise MeasureError(f"cell {invalid[0]}: {invalid[1]}")
    twice = repeated_hash(cells.hashes())
    if twice is not None:
        raise MeasureError(f"cell {twice.decode()} is asked for more than once")


class _Campaign:
    """The bookkeeping of :func:`measure_cells`."""

    def __init__(
        self,
        cells: CellArray,
        budgets: Sequence[int],
        seeds: tuple[int, ...],
        journal: Journal,
        retries: int,
        on_progress: Callable[[CampaignProgress], None] | None,
    ) -> None:
        self.journal = journal
        self.seeds = seeds
        self.retries = retries
        self.on_progress = on_progress
        self.total = len(cells) * len(seeds) * sum(budgets)
        self.wanted = {
            (digest.decode(), budget, seed)
            for digest in cells.hashes().tolist()
            for budget in budgets
            for seed in seeds
        }
        self._read_finished()
        self.failures: dict[tuple[str, int], str] = {}
        self.attempts: dict[tuple[str, int], int] = {}
        self.again: deque[Job] = deque()
        # Cell by cell, so that whatever is finished is a sample of the cells asked for.
        self.open = [(cell, budget) for cell in cells for budget in budgets]

    def run(self, executor: Executor, task: Task) -> None:
        """Trains until every run is finished or given up."""
        self._report()
        while self.open or self.again:
            before = len(self.open)
            for outcome in executor.run(self._jobs(), task):
                self._settle(outcome)
                self._report()
            self._read_finished()
            self.open = [
                (cell, budget)
                for cell, budget in self.open
                if (cell.hash, budget) not in self.failures
                and any((cell.hash, budget, seed) not in self.finished for seed in self.seeds)
            ]
            if len(self.open) == before and not self.again:
                time.sleep(_POLL_SECONDS)  # what is left is another process's

    def _read_finished(self) -> None:
        self.finished = self.wanted & self.journal.finished()
        # Counted along, as a sum over all runs after each job would take ever longer.
        self.epochs = sum(budget for _, budget, _ in self.finished)

    def _jobs(self) -> Iterator[Job]:
        """Yields what is missing and free, claimed, and what failed and is to be tried again."""
        for cell, budget in self.open:
            while self.again:
                yield self.again.popleft()
            claimed = self.journal.claim(cell, budget, self.seeds)
            if claimed:
                yield Job(cell, budget, claimed)
        while self.again:
            yield self.again.popleft()

    def _settle(self, outcome: JobOutcome) -> None:
        job = outcome.job
        if outcome.error is None:
            self.journal.record(job.cell, outcome.runs)
            for run in outcome.runs:
                key = (job.cell.hash, run.budget, run.seed)
                if key not in self.finished:
                    self.finished.add(key)
                    self.epochs += run.budget
            return
        failed = (job.cell.hash, job.budget)
        self.attempts[failed] = self.attempts.get(failed, 0) + 1
        if self.attempts[failed] <= self.retries:
            self.again.append(job)
        else:
            self.journal.release(job)
            self.failures[failed] = outcome.error

    def _report(self) -> None:
        if self.on_progress is None:
            return
        failed = len(self.failures) * len(self.seeds)
        self.on_progress(CampaignProgress(self.epochs, self.total, len(self.finished), failed))

    def raise_failures(self) -> None:
        """Raises an error that names every cell given up."""
        if not self.failures:
            return
        lines = [
            f"cell {digest} at {budget} epochs: {error}"
            for (digest, budget), error in self.failures.items()
        ]
        raise MeasureError(
            f"{len(lines)} jobs failed {self.retries + 1} times, everything else is in "
            f"{self.journal.path}: " + "; ".join(lines)
        )
