"""One run of a search: what is logged of it, and that it ends with a report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pyg_nas.cli.search_run import SearchRun
from pyg_nas.data.tables.table import Table
from pyg_nas.io.callbacks import Callback, Figures
from pyg_nas.search.constraints import Constraints
from pyg_nas.search.early_stopping import EarlyStopping
from pyg_nas.search.evaluators.table import TableEvaluator
from pyg_nas.search.latency import LatencyModel
from pyg_nas.search.methods.strategies import RandomSearch
from pyg_nas.search.search_folder.stored import StoredSearch, stored_latency

pytestmark = pytest.mark.usefixtures("undrawn")


class Kept(Callback):
    """Keeps what it receives."""

    def __init__(self) -> None:
        self.queries: dict[int, Figures] = {}
        self.end: Figures = {}

    def on_query(self, index: int, figures: Figures) -> None:
        self.queries[index] = figures

    def on_end(self, figures: Figures) -> None:
        self.end = figures


@pytest.mark.parametrize("stopping", [False, True])
def test_every_query_and_the_answer_are_logged(
    small_table: Table, tmp_path: Path, stopping: bool
) -> None:
    evaluator, logger = TableEvaluator(small_table), Kept()
    early = EarlyStopping.of(evaluator) if stopping else None
    run = SearchRun(
        "here/small.hdf5", RandomSearch(5), evaluator, 40, Constraints(), None, "cpu", early, logger
    )
    result = run(3, tmp_path).result
    assert list(logger.queries) == list(range(40))
    for query, figures in zip(result.history, logger.queries.values(), strict=True):
        assert figures["accuracy"] == query.outcome.accuracy
        assert (
            figures["parameters"]
            == evaluator.table.trainable_parameters[small_table.index_of(query.cell)]
        )
        assert ("stopped" in figures) == stopping
        assert figures.get("stopped", 0.0) == query.outcome.stopped
    assert logger.end["queries"] == 40
    assert logger.end["stopped_early"] == result.stopped.sum()
    assert logger.end["answer_accuracy"] == max(result.history.accuracies[~result.stopped])
    assert (tmp_path / "report.md").exists()
    assert result.answer is not None


class StoppedAtTheFifth(Callback):
    def on_query(self, index: int, figures: Figures) -> None:
        if index == 4:
            raise RuntimeError("killed")


def test_a_stopped_search_has_the_latency_of_every_trained_cell(
    small_table: Table, tmp_path: Path
) -> None:
    known = {digest.decode(): 0.004 for digest in small_table.hashes.tolist()}
    evaluator = TableEvaluator(small_table)
    evaluator.latency = LatencyModel(None, "as in t.hdf5", known=known)
    run = SearchRun(
        "small.hdf5", RandomSearch(5), evaluator, 9, Constraints(max_latency=0.005),
        evaluator.latency, str(tmp_path), None, StoppedAtTheFifth(),
    )  # fmt: skip
    with pytest.raises(RuntimeError, match="killed"):
        run(3, tmp_path / "search")
    for trained in (5, 9):
        found = stored_latency(tmp_path / "search")
        assert found is not None
        history = StoredSearch.read(tmp_path / "search").result.history
        assert len(history) == trained
        assert found["cells"] == {query.cell.hash: 0.004 for query in history}
        assert (found["limit"], found["device"]) == (0.005, "as in t.hdf5")
        replace(run, logger=Callback())(3, tmp_path / "search")
