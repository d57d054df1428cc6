"""Searching by training cells: figures are those of measuring, and the journal is resumed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pyg_nas.errors import MeasureError, SettingsError
from pyg_nas.graphs.cell_network import NetworkSize
from pyg_nas.measure import Journal, measure_cells
from pyg_nas.measure.tasks.digits import digits_task
from pyg_nas.measure.tasks.task import Task
from pyg_nas.search.domain import Domain
from pyg_nas.search.evaluators.live import LiveEvaluator
from pyg_nas.search.history import Query
from pyg_nas.search.loop import search
from pyg_nas.search.methods.by_name import make_strategy
from pyg_nas.search.methods.strategies import RandomSearch
from pyg_nas.search.search_folder.folder import SearchFolder
from pyg_nas.spaces.nasbench101 import NASBENCH101, nasbench101_cells
from pyg_nas.spaces.nasbench101.network import Network


@pytest.fixture(scope="module")
def domain() -> Domain:
    cells = nasbench101_cells()
    return Domain(NASBENCH101, cells[np.flatnonzero(cells.num_vertices <= 4)])


def test_it_sees_what_measuring_gives(task: Task, journal: Journal, domain: Domain) -> None:
    evaluator = LiveEvaluator(task, 1, 2, journal, domain=domain)
    result = search(RandomSearch(), evaluator, 3)
    cells = [query.cell for query in result.history]
    table = measure_cells(cells, task, [1], 2, journal=journal)
    for row, query in enumerate(result.history):
        accuracy = table.metrics[row, 0, :, 1].astype(float).mean(axis=0)
        assert query.outcome.accuracy == pytest.approx(accuracy[2])
        assert query.outcome.test_accuracy == pytest.approx(accuracy[3])
        assert query.outcome.seconds == pytest.approx(table.metrics[row, 0, :, 1, 0].sum())
        assert query.parameters is not None
        assert query.parameters < query.cell.trainable_parameters
    assert result.regret is None
    assert result.to_dict()["regret_against"] is None


def test_networks_too_narrow_for_a_cell_of_the_domain(task: Task, journal: Journal) -> None:
    with pytest.raises(MeasureError, match=r"stem_channels must be at least 4, .*got 2"):
        LiveEvaluator(task, 1, 1, journal)


def test_stopped_it_trains_only_what_is_missing(
    task: Task, journal: Journal, domain: Domain, tmp_path: Path
) -> None:
    evaluator = LiveEvaluator(task, 1, 1, journal, domain=domain)
    folder = SearchFolder(tmp_path / "out", {}, NASBENCH101)

    def stop(index: int, query: Query) -> None:
        if index == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(RandomSearch(), evaluator, 4, folder=folder, on_query=stop)
    assert len(journal.finished()) == 3
    result = search(RandomSearch(), evaluator, 4, folder=folder)
    assert len(result.history) == 4
    assert len(journal.finished()) == 4


def test_no_oracle_where_not_all_cells_are_measured(
    task: Task, journal: Journal, domain: Domain
) -> None:
    evaluator = LiveEvaluator(task, 1, 1, journal, domain=domain)
    with pytest.raises(SettingsError, match="oracle"):
        make_strategy("oracle", evaluator, n=1, k=1, recipe="paper")
    with pytest.raises(SettingsError, match="budget"):
        LiveEvaluator(task, 0, 1, journal)


def test_live_parameters_and_description_are_the_tasks(tmp_path: Path) -> None:
    digits = digits_task()
    small = replace(digits.settings, stem_channels=4, modules_per_stack=2)
    task = digits.with_settings(small)
    cells = nasbench101_cells()[[0, 5, 4000]]
    domain = Domain(NASBENCH101, cells)
    with Journal(tmp_path / "j.sqlite", task) as journal:
        evaluator = LiveEvaluator(task, 1, 1, journal, domain=domain)
        networks = [Network(cell, NetworkSize(4, 2, 2, image_channels=1)) for cell in cells]
        found = evaluator.parameters(cells)
        assert found is not None
        assert found.tolist() == [
            sum(weight.numel() for weight in network.parameters()) for network in networks
        ]
        described = evaluator.describe()
        assert LiveEvaluator(task, 2, 1, journal, domain=domain).describe() != described
        assert LiveEvaluator(task, 1, 2, journal, domain=domain).describe() != described
    with Journal(tmp_path / "k.sqlite", digits) as journal:
        assert LiveEvaluator(digits, 1, 1, journal, domain=domain).describe() != described
