"""Every backend returns the same results, and a missing one is named."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from joblib.externals.loky import ProcessPoolExecutor

from pyg_nas.compute import pools
from pyg_nas.compute.workers import Workers
from pyg_nas.errors import BackendError
from tests.compute.test_workers import divide

CALLS = [(number,) for number in range(1, 6)]
EXPECTED = {number: 60 / number for number in range(1, 6)}


def results(workers: Workers) -> dict[int, float]:
    return {call[0]: result for call, result in workers.run(divide, 60, CALLS)}


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_backends_of_this_machine_agree(backend: str) -> None:
    assert results(Workers(backend, 2)) == EXPECTED


def last(events: tuple[Event, Event], number: int) -> None:
    """Call 0 ends once call 1 has begun, and call 1 only if it is interrupted."""
    begun, interrupted = events
    if number == 0:
        assert begun.wait(30)
        return
    try:
        begun.set()  # from here on it may be interrupted
        for _ in range(3_000):
            time.sleep(0.01)
    except KeyboardInterrupt:
        interrupted.set()
        raise


def test_an_interrupt_ends_the_calls_of_threads() -> None:
    """A process waits for its threads before it ends."""
    events = Event(), Event()
    results = Workers("threading", 2).run(last, events, [(0,), (1,)])
    assert next(results) == ((0,), None)
    results.close()
    assert events[1].wait(30)


def test_a_call_that_begins_while_threads_are_interrupted_ends_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken, closed, called = Event(), Event(), Event()

    def late_ident() -> int:
        taken.set()
        assert closed.wait(30)
        return threading.get_ident()

    monkeypatch.setattr(pools, "get_ident", late_ident)
    with pools.thread_pool(lambda shared: called.set(), None, 1) as pool:
        future = pool.submit()
        assert taken.wait(30)
    closed.set()
    assert isinstance(future.exception(30), KeyboardInterrupt)
    assert not called.is_set()


@pytest.mark.usefixtures("only_cluster")
def test_a_local_ray_agrees() -> None:
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
        assert results(Workers("ray", 2)) == EXPECTED
    finally:
        ray.shutdown()


def test_a_local_dask_agrees() -> None:
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster),
    ):
        assert results(Workers("dask", -1)) == EXPECTED


def test_a_backend_that_cannot_start_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: object, *args: object, **kwargs: object) -> None:
        raise OSError("no process can be started")

    monkeypatch.setattr("joblib.externals.loky.ProcessPoolExecutor.__init__", broken)
    with pytest.raises(BackendError, match="backend 'loky' failed: no process can be started"):
        results(Workers("loky", 2))


def test_a_start_that_fails_once_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    failures = [OSError("the worker ended")]
    begin = ProcessPoolExecutor.__init__

    def broken_once(self: ProcessPoolExecutor, *args: Any, **kwargs: Any) -> None:
        if failures:
            raise failures.pop()
        begin(self, *args, **kwargs)

    monkeypatch.setattr(ProcessPoolExecutor, "__init__", broken_once)
    assert results(Workers("loky", 2)) == EXPECTED
    assert not failures


@pytest.mark.parametrize("backend", ["ray", "dask"])
def test_a_missing_engine_is_named(monkeypatch: pytest.MonkeyPatch, backend: str) -> None:
    for name in ("ray", "distributed"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(BackendError, match=rf"pip install '\.\[{backend}\]' in a clone"):
        results(Workers(backend))
