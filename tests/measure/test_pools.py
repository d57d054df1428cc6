"""Every backend gives the same runs, and a missing one is named."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from pyg_nas.errors import MeasureError
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.measure import Executor, measure_cells
from pyg_nas.measure.job import Job
from pyg_nas.measure.task import Task

from .conftest import make_tiny_task

CELLS = sample_cells(4, seed=1)


BUDGETS = (1, 3)


def accuracies(cells, task, **options) -> np.ndarray:
    return measure_cells(cells, task, BUDGETS, 2, **options).metrics[..., 1:]


@pytest.fixture(scope="module")
def expected() -> np.ndarray:
    return accuracies(CELLS, make_tiny_task())


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_backends_of_this_machine_agree(tiny_task: Task, expected, backend):
    executor = Executor(backend, workers=2)
    np.testing.assert_array_equal(accuracies(CELLS, tiny_task, executor=executor), expected)


def test_a_local_ray_agrees(tiny_task: Task, expected, monkeypatch):
    ray = pytest.importorskip("ray")
    # Ray's workers see the tests' modules only where the driver's path is theirs.
    root = str(Path(__file__).parents[2])
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        runtime_env={"env_vars": {"PYTHONPATH": root}},
    )
    try:
        executor = Executor("ray", workers=2)
        np.testing.assert_array_equal(accuracies(CELLS, tiny_task, executor=executor), expected)
    finally:
        ray.shutdown()


def test_a_local_dask_agrees(tiny_task: Task, expected):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster),
    ):
        executor = Executor("dask", workers=-1)
        np.testing.assert_array_equal(accuracies(CELLS, tiny_task, executor=executor), expected)


def test_a_backend_that_cannot_start_is_an_error(tiny_task: Task, monkeypatch):
    def broken(self, *args, **kwargs):
        raise OSError("no process can be started")

    monkeypatch.setattr("joblib.externals.loky.ProcessPoolExecutor.__init__", broken)
    with pytest.raises(MeasureError, match="backend 'loky' failed: no process can be started"):
        list(Executor("loky", workers=2).run([Job(CELLS[0], 1, (0,))], tiny_task))


@pytest.mark.parametrize("backend", ["ray", "dask"])
def test_a_missing_engine_is_named(tiny_task: Task, monkeypatch, backend):
    for name in ("ray", "ray.util.joblib", "distributed"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MeasureError, match=rf"pip install '\.\[{backend}\]' in a clone"):
        measure_cells(CELLS, tiny_task, (1,), 1, executor=Executor(backend))
