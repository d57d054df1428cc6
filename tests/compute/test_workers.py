"""No call is lost, repeated or hidden if workers end or fail."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pyg_nas.compute.workers import WorkerDiedError, Workers
from pyg_nas.errors import SettingsError, TableError


def divide(shared: float, number: int) -> float:
    return shared / number


def die(folder: Path, number: int, times: int) -> int:
    """Kill this process the first ``times`` times that the number is 2."""
    with (folder / f"{number}").open("a") as log:
        log.write("x")
    if number == 2 and len((folder / "2").read_text()) <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def refuse(shared: None, number: int) -> int:
    if number == 3:
        raise TableError("row 3 is damaged")
    return number


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_a_call_that_kills_its_worker_fails_alone(tmp_path: Path) -> None:
    calls = [(number, 9) for number in range(6)]
    found = {call[0]: result for call, result in Workers("loky", 2).run(die, tmp_path, calls)}
    assert isinstance(found.pop(2), WorkerDiedError)
    assert found == {number: number**2 for number in (0, 1, 3, 4, 5)}
    assert (tmp_path / "2").read_text() == "xx"  # once beside the others and once alone


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_a_worker_that_dies_once_costs_nothing(tmp_path: Path) -> None:
    calls = [(number, 1) for number in range(6)]
    ended = [result for _, result in Workers("loky", 2).run(die, tmp_path, calls)]
    assert sorted(ended) == [0, 1, 4, 9, 16, 25]


class Deadly:
    """Kills the process that reads it."""

    def __reduce__(self) -> tuple[Callable[[int], Any], tuple[int]]:
        return os._exit, (1,)


def test_a_worker_that_dies_before_it_has_read_what_is_shared_is_noticed() -> None:
    shared = Deadly(), bytes(1_000_000)  # more than a pipe holds
    ((call, result),) = Workers("loky", 1).run(divide, shared, [(1,)])
    assert call == (1,)
    assert isinstance(result, WorkerDiedError)


@pytest.mark.parametrize("workers", [Workers(), Workers("threading", 2), Workers("loky", 2)])
def test_an_error_of_the_package_reaches_the_caller(workers: Workers) -> None:
    with pytest.raises(TableError, match="row 3 is damaged"):
        list(workers.run(refuse, None, [(number,) for number in range(9)]))


@pytest.mark.parametrize("workers", [Workers(), Workers("threading", 2), Workers("loky", 2)])
def test_an_error_of_the_calls_comes_after_those_that_began(workers: Workers) -> None:
    def calls() -> Iterator[tuple[int]]:
        yield from [(1,), (2,)]
        raise TableError("the file is damaged")

    seen = []

    def run() -> None:
        for _, result in workers.run(divide, 2.0, calls()):
            seen.append(result)

    with pytest.raises(TableError, match="the file is damaged"):
        run()
    assert sorted(seen) == [1.0, 2.0]


def test_invalid_settings_are_named() -> None:
    with pytest.raises(SettingsError, match=r"backend must be one of .*, got 'slurm'"):
        Workers("slurm")
    with pytest.raises(SettingsError, match="at least 1, or -1 for all, got 0"):
        Workers("loky", 0)
    with pytest.raises(SettingsError, match="workers must be 1 with the backend 'sequential'"):
        Workers("sequential", 4)
