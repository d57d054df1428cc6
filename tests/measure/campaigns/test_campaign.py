"""Campaigns: what is trained, and which requests are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pyg_nas.errors import CellError, MeasureError
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.measure import CampaignProgress, Journal, measure_cells
from pyg_nas.measure.tasks.task import Task

from ..conftest import TINY_SETTINGS, chain, make_tiny_task

CELLS = sample_cells(4, seed=1)


BUDGETS = (1, 3)


def test_finished_runs_are_not_trained_again(tmp_path: Path, tiny_task: Task, monkeypatch):
    with Journal(tmp_path / "j.sqlite", tiny_task) as journal:
        first = measure_cells(CELLS[:2], tiny_task, (1,), 1, journal)
        more = measure_cells(CELLS, tiny_task, BUDGETS, 2, journal)
        monkeypatch.setattr("pyg_nas.measure.training.trainer.train", None)
        again = measure_cells(CELLS, tiny_task, BUDGETS, 2, journal)
    np.testing.assert_array_equal(again.metrics, more.metrics)
    np.testing.assert_array_equal(first.metrics[:, 0, 0], more.metrics[:2, 0, 0])
    assert again.cells == CELLS


def test_progress_counts_epochs_up_to_all(tiny_task: Task):
    seen: list[CampaignProgress] = []
    measure_cells(CELLS, tiny_task, BUDGETS, 2, on_progress=seen.append)
    assert seen[0] == CampaignProgress(0, 4 * 2 * (1 + 3), 0, 0)
    assert [state.finished for state in seen] == sorted(state.finished for state in seen)
    assert seen[-1] == CampaignProgress(32, 32, 16, 0)


@pytest.mark.parametrize(
    ("budgets", "seeds", "message"),
    [
        ((), 1, "budgets must be ascending"),
        ((4, 2), 1, "budgets must be ascending"),
        ((0, 2), 1, "budgets must be ascending"),
        ((10**12,), 1, "at most 100,000 epochs"),
        ((1,), 10**30, "at most 10,000 runs"),
        ((1,), 0, "seeds must be different"),
        ((1,), (1, 1), "seeds must be different"),
        ((1,), (-1,), "seeds must be different"),
    ],
)
def test_invalid_requests(tiny_task: Task, budgets, seeds, message):
    with pytest.raises(MeasureError, match=message):
        measure_cells(CELLS, tiny_task, budgets, seeds)


def test_an_invalid_clock_is_refused_before_anything_is_trained(tmp_path: Path, tiny_task: Task):
    with Journal(tmp_path / "j.sqlite", tiny_task) as journal:
        with pytest.raises(MeasureError, match="clock must be 'wall' or 'cpu', got 'sun'"):
            measure_cells(CELLS[:1], tiny_task, (1,), 1, journal, clock="sun")
        assert journal.finished() == set()


def test_invalid_cells(tiny_task: Task):
    twice = chain("conv3x3-bn-relu")
    with pytest.raises(MeasureError, match=f"{twice.hash} appears more than once"):
        measure_cells([twice, chain("maxpool3x3"), twice], tiny_task, (1,), 1)
    space = SearchSpace("plain", ("a",), 3, 3)
    foreign = Cell([[0, 1], [0, 0]], ["a", "a"], space)
    with pytest.raises(MeasureError, match="cells of 'plain' have no network"):
        measure_cells([foreign], tiny_task, (1,), 1)
    with pytest.raises(CellError):
        measure_cells([], tiny_task, (1,), 1)


def test_too_narrow_networks_are_refused_before_anything_is_trained(tmp_path: Path):
    narrow = make_tiny_task(TINY_SETTINGS.changed({"stem_channels": 1}))
    wide = Cell(
        [[0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0] * 4],
        ["input", "conv1x1-bn-relu", "conv1x1-bn-relu", "output"],
    )
    message = (
        f"task 'tiny': stem_channels must be at least 2, one for each vertex that the output of "
        f"cell {wide.hash} concatenates, got 1"
    )
    with Journal(tmp_path / "j.sqlite", narrow) as journal:
        with pytest.raises(MeasureError, match=message):
            measure_cells([chain("conv1x1-bn-relu"), wide], narrow, (1,), 1, journal)
        assert not journal.finished()
        assert len(measure_cells([chain("conv1x1-bn-relu")], narrow, (1,), 1, journal)) == 1
