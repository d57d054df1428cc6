"""Campaigns: missing runs of many cells are trained, finished runs are stored."""

from __future__ import annotations

import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pyg_nas.errors import MeasureError
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.hashing import repeated_hash
from pyg_nas.io.limits import MOST_EPOCHS, MOST_RUNS
from pyg_nas.io.text import counted
from pyg_nas.measure.campaigns.executor import Executor
from pyg_nas.measure.campaigns.job import Job, JobOutcome
from pyg_nas.measure.campaigns.journal import Journal, check_clock
from pyg_nas.spaces.measurements import are_budgets

if TYPE_CHECKING:
    from pyg_nas.data.tables.table import Table
    from pyg_nas.graphs.cell import Cell
    from pyg_nas.measure.tasks.task import Task

_POLL_SECONDS = 1.0


@dataclass(frozen=True)
class CampaignProgress:
    """Progress of a campaign.

    Args:
        finished: Finished epochs of all runs together.
        total: Requested epochs.
        runs: Finished runs.
        failed: Runs that were given up.
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

    Each finished run is stored in the journal at once. Runs in the journal are not trained again.
    If another process trains a run, this one waits for it, or trains it if that process dies.

    Args:
        cells: The cells, all different; they are measured in this order.
        task: Images and training settings.
        budgets: Epochs, ascending.
        seeds: Number of runs at each budget, or their seeds.
        journal: Stores the runs; by default a temporary file that is deleted at the end.
        executor: Distributes the work; by default one job at a time in this process.
        retries: How often a failed job is tried again, unless it would fail in the same way: a
            diverging training, or an error of the user's metric.
        on_progress: Called at the start and after each job.
        clock: ``"wall"`` or ``"cpu"``: the clock of the table's training time.

    Returns:
        A table of exactly these cells, budgets and seeds, in their order.

    Raises:
        MeasureError: If the request or ``clock`` is malformed, a cell is too wide for the task's
            networks, or all tries of a job failed; it names the cells, and all other runs are in
            the journal.
    """
    check_clock(clock)
    executor = executor or Executor()
    cells = cells if isinstance(cells, CellArray) else CellArray.from_cells(cells)
    listed = check_request(cells, budgets, seeds)
    task.check_cells(cells)
    with ExitStack() as stack:
        if journal is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            journal = stack.enter_context(
                Journal(Path(folder) / "journal.sqlite", task, cells.space)
            )
        campaign = _Campaign(cells, budgets, listed, journal, on_progress)
        train_missing(campaign.missing(), listed, task, journal, executor, retries, campaign.on_end)
        campaign.raise_failures()
        return journal.to_table(budgets, listed, cells, clock)


def check_request(
    cells: CellArray, budgets: Sequence[int], seeds: int | Sequence[int]
) -> tuple[int, ...]:
    """Return the seeds of a request that :func:`measure_cells` accepts.

    Raises:
        MeasureError: If it is malformed.
    """
    count = seeds if isinstance(seeds, int) else len(seeds)
    if count > MOST_RUNS:
        raise MeasureError(f"a cell must have at most {MOST_RUNS:,} runs, got {count}")
    seeds = tuple(range(count)) if isinstance(seeds, int) else tuple(seeds)
    if not are_budgets(budgets):
        raise MeasureError(f"budgets must be ascending positive epochs, got {list(budgets)}")
    if budgets[-1] > MOST_EPOCHS:
        raise MeasureError(f"a budget must be at most {MOST_EPOCHS:,} epochs, got {budgets[-1]}")
    if not seeds or len(set(seeds)) != len(seeds) or min(seeds) < 0:
        raise MeasureError(f"seeds must be different and at least 0, got {list(seeds)}")
    invalid = cells.first_invalid()
    if invalid is not None:
        raise MeasureError(f"cell {invalid[0]}: {invalid[1]}")
    twice = repeated_hash(cells.hashes())
    if twice is not None:
        raise MeasureError(f"cells must differ, {twice.decode()} appears more than once")
    return seeds


def train_missing(
    pairs: Iterable[tuple[Cell, int]],
    seeds: Sequence[int],
    task: Task,
    journal: Journal,
    executor: Executor,
    retries: int,
    on_end: Callable[[Cell, int, str | None], None],
) -> None:
    """Train the runs of each pair (cell, budget) that the journal lacks, one for each seed.

    The next pair is taken when a worker is free, and after ``on_end`` was called for every pair
    that has ended, so that ``pairs`` may depend on the outcomes so far. If another process trains
    the runs of a pair, this one waits for them, or trains them if that process dies.

    Args:
        seeds: Seeds of the runs of each pair.
        retries: How often a failed job is tried again, unless it would fail in the same way: a
            diverging training, or an error of the user's metric.
        on_end: Called with a pair when all of its runs are in the journal (and None), or when its
            job failed in its last try (and the error).

    Raises:
        MeasureError: If the journal is of another task.
    """
    if journal.about["fingerprint"] != task.fingerprint:
        raise MeasureError(f"{journal.path}: is a journal of another task than {task.name!r}")
    missing = _Missing(tuple(seeds), journal, retries, on_end)
    wanted = iter(pairs)
    while True:
        for outcome in executor.run(missing.jobs(wanted), task):
            missing.end(outcome)
        if missing.again:
            continue
        if not missing.elsewhere:
            return
        time.sleep(_POLL_SECONDS)
        wanted, missing.elsewhere = iter(missing.elsewhere), []


@dataclass
class _Missing:
    """The pairs (cell, budget) of :func:`train_missing`, from their claim to their end.

    Attributes:
        again: Failed jobs that are tried again.
        elsewhere: Pairs some of whose runs another process trains.
    """

    seeds: tuple[int, ...]
    journal: Journal
    retries: int
    on_end: Callable[[Cell, int, str | None], None]

    def __post_init__(self) -> None:
        self.again: deque[Job] = deque()
        self.elsewhere: list[tuple[Cell, int]] = []
        self._failures: Counter[tuple[str, int]] = Counter()

    def jobs(self, wanted: Iterator[tuple[Cell, int]]) -> Iterator[Job]:
        """Yield a job for each pair with runs that this process may train."""
        while True:
            if self.again:
                yield self.again.popleft()
                continue
            pair = next(wanted, None)
            if pair is None:
                return
            claimed = self.journal.claim(*pair, self.seeds)
            if claimed:
                yield Job(*pair, claimed)
            else:
                self._end_if_finished(*pair)

    def end(self, outcome: JobOutcome) -> None:
        """Store the runs of a job, or try it again."""
        job = outcome.job
        if outcome.error is None:
            self.journal.record(job.cell, outcome.runs)
            self._end_if_finished(job.cell, job.budget)
            return
        key = job.cell.hash, job.budget
        self._failures[key] += 1
        tries = self._failures[key]
        if tries <= self.retries and not outcome.is_final:
            self.again.append(job)
        else:
            self.journal.release(job)
            tried = f" (tried {counted(tries, 'time')})" if tries > 1 else ""
            self.on_end(job.cell, job.budget, outcome.error + tried)

    def _end_if_finished(self, cell: Cell, budget: int) -> None:
        if {run.seed for run in self.journal.runs(cell, budget)} >= set(self.seeds):
            self.on_end(cell, budget, None)
        else:
            self.elsewhere.append((cell, budget))


@dataclass
class _Campaign:
    """Missing runs, progress and failures of :func:`measure_cells`."""

    cells: CellArray
    budgets: Sequence[int]
    seeds: tuple[int, ...]
    journal: Journal
    on_progress: Callable[[CampaignProgress], None] | None

    def __post_init__(self) -> None:
        self.hashes = [digest.decode() for digest in self.cells.hashes().tolist()]
        self.total = len(self.cells) * len(self.seeds) * sum(self.budgets)
        self.finished = {
            run
            for run in self.journal.finished(self.hashes)
            if run[1] in self.budgets and run[2] in self.seeds
        }
        # Counted incrementally: the time of a sum over all runs would grow with their number.
        self.epochs = sum(budget for _, budget, _ in self.finished)
        self.failures: dict[tuple[str, int], str] = {}
        self._report()

    def missing(self) -> Iterator[tuple[Cell, int]]:
        """Yield (cell, budget) cell by cell, so that finished runs are a sample of the cells."""
        for row, digest in enumerate(self.hashes):
            for budget in self.budgets:
                if any((digest, budget, seed) not in self.finished for seed in self.seeds):
                    yield self.cells[row], budget

    def on_end(self, cell: Cell, budget: int, error: str | None) -> None:
        """Count a pair that is finished or given up."""
        if error is not None:
            self.failures[cell.hash, budget] = error
        else:
            runs = {(cell.hash, budget, seed) for seed in self.seeds} - self.finished
            self.finished |= runs
            self.epochs += budget * len(runs)
        self._report()

    def _report(self) -> None:
        if self.on_progress is None:
            return
        failed = len(self.failures) * len(self.seeds)
        self.on_progress(CampaignProgress(self.epochs, self.total, len(self.finished), failed))

    def raise_failures(self) -> None:
        """Raise an error that names every cell given up."""
        if not self.failures:
            return
        lines = [
            f"cell {digest} at {counted(budget, 'epoch')}: {error}"
            for (digest, budget), error in self.failures.items()
        ]
        raise MeasureError(
            f"{counted(len(lines), 'job')} failed, everything else is in {self.journal.path}: "
            + "; ".join(lines)
        )
