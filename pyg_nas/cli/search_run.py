"""One run of ``pyg-nas search``: what it shows and logs on its way, and the report at its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pyg_nas.cli.console import resumable
from pyg_nas.cli.progress import Advance, progress_bar, working
from pyg_nas.cli.search_latency import is_device
from pyg_nas.io.callbacks import Callback
from pyg_nas.io.text import percent, printable

if TYPE_CHECKING:
    from pyg_nas.report.search_facts import SearchFacts
    from pyg_nas.search.constraints import Constraints
    from pyg_nas.search.early_stopping import EarlyStopping
    from pyg_nas.search.evaluators.evaluator import Evaluator
    from pyg_nas.search.goal import Goal
    from pyg_nas.search.history import Query
    from pyg_nas.search.latency import LatencyModel, LatencyRecord
    from pyg_nas.search.methods.strategies import Strategy


@dataclass(frozen=True)
class SearchRun:
    """The settings of all searches of one command; a call is the search with one random seed.

    Args:
        target: Path of the table, or name or path of the task.
        total: Architectures to train.
        latencies: Predicts latencies, if they are limited.
        latency_device: Where latencies were measured, or the file that they were read from.
        logger: Gets each query and the result.
    """

    target: str
    strategy: Strategy
    evaluator: Evaluator
    total: int
    constraints: Constraints
    latencies: LatencyModel | None
    latency_device: str
    early_stopping: EarlyStopping | None
    logger: Callback

    def __call__(self, seed: int, out: Path) -> SearchFacts:
        """Search, or resume the search in the folder, and write its report."""
        from pyg_nas.report.search_facts import SearchFacts
        from pyg_nas.report.search_summary import write_search_summary
        from pyg_nas.search.loop import search as run_search
        from pyg_nas.search.search_folder.folder import SearchFolder
        from pyg_nas.search.search_folder.settings import SearchSettings
        from pyg_nas.search.search_folder.stored import stored_latency

        settings = SearchSettings.of(
            self.strategy,
            self.evaluator,
            self.constraints,
            seed,
            printable(Path(self.target).name),
            self.total,
            self.early_stopping,
        )
        folder = SearchFolder(out, settings, self.evaluator.domain.space)
        with folder.locked():
            record = self._latency_record(out)
            with progress_bar("searching, architectures trained") as advance, resumable(out):
                advance(folder.count(), self.total)
                result = run_search(
                    self.strategy,
                    self.evaluator,
                    self.total,
                    seed,
                    self.constraints,
                    folder,
                    _shown(advance, self.total, self.evaluator.goal, record),
                    self.early_stopping,
                    self.logger,
                )
            with working("writing the report"):
                if record is not None:
                    record.end(self.evaluator, result.answer)
                facts = SearchFacts(result, (), settings.runs_note, stored_latency(out))
                write_search_summary(out, facts, settings)
        return facts

    def _latency_record(self, out: Path) -> LatencyRecord | None:
        """Write the latencies that are known before the search, if they are limited."""
        limit = self.constraints.max_latency
        if self.latencies is None or limit is None:
            return None
        from pyg_nas.search.latency import LatencyRecord
        from pyg_nas.search.search_folder.stored import StoredSearch

        device = self.latency_device if is_device(self.latency_device) else None
        record = LatencyRecord(out, self.latencies, limit, device)
        record.add(list(StoredSearch.read(out).result.history))
        return record


def _shown(
    advance: Advance, total: int, goal: Goal, record: LatencyRecord | None
) -> Callable[[int, Query], None]:
    """Move a bar by cells trained, with the best score so far beside it.

    Where latencies are limited, record that of each.
    """
    from pyg_nas.metrics.regression import are_fractions

    best: float | None = None

    def on_query(index: int, query: Query) -> None:
        nonlocal best
        value = query.outcome.accuracy
        if not query.outcome.stopped and (best is None or goal.gain(value) > goal.gain(best)):
            best = value
        shown = ""  # a resumed search may begin with a cell that is stopped early
        if best is not None:
            is_fraction = goal.is_accuracy and are_fractions([best])
            number = percent(best, 2) if is_fraction else f"{best:,.6g} {goal.unit}".rstrip()
            shown = f"best {number}"
        advance(index + 1, total, shown)
        if record is not None:
            record.add([query])

    return on_query
