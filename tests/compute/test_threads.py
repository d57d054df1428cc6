"""Pools of our own threads: the libraries' limits are back when the last one has closed."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import ModuleType

import pytest
import threadpoolctl
import torch
from threadpoolctl import threadpool_info

from pyg_nas.compute.threads import single_threaded, single_threaded_pool


def blas_threads() -> list[int]:
    return [
        library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"
    ]


def test_threads_of_a_pool_use_no_further_ones() -> None:
    with single_threaded_pool(2) as pool:
        assert set(pool.map(lambda _: torch.get_num_threads(), range(4))) == {1}
        assert set(blas_threads()) == {1}


def test_overlapping_pools_leave_the_limits_as_they_were() -> None:
    torch_before, blas_before = torch.get_num_threads(), blas_threads()
    torch.set_num_threads(3)
    opened, overlapped = threading.Event(), threading.Event()

    def first() -> None:
        with single_threaded_pool(1) as pool:
            pool.submit(torch.get_num_threads).result()
            opened.set()
            overlapped.wait(10)

    def second() -> None:
        opened.wait(10)
        with single_threaded_pool(1) as pool:
            overlapped.set()
            earlier.join(10)
            # The other one has closed, and this one's threads still work alone.
            assert pool.submit(torch.get_num_threads).result() == 1
            inside.extend(blas_threads())

    inside: list[int] = []
    later: list[int] = []
    earlier = threading.Thread(target=first)
    pools = [earlier, threading.Thread(target=second)]
    try:
        for thread in pools:
            thread.start()
        for thread in pools:
            thread.join(10)
        fresh = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
        fresh.start()
        fresh.join(10)
        assert later == [3]
        assert set(inside) == {1}
        assert blas_threads() == blas_before
    finally:
        torch.set_num_threads(torch_before)


def test_a_thread_alone_has_its_threads_back_even_after_a_failure() -> None:
    torch_before, blas_before = torch.get_num_threads(), blas_threads()
    torch.set_num_threads(3)
    inside: list[int] = []

    def fails() -> None:
        with single_threaded():
            inside.extend([torch.get_num_threads(), *blas_threads()])
            with single_threaded_pool(2) as pool:
                inside.append(pool.submit(torch.get_num_threads).result())
            raise KeyError

    try:
        with pytest.raises(KeyError):
            fails()
        assert set(inside) == {1}
        assert torch.get_num_threads() == 3
        assert blas_threads() == blas_before
    finally:
        torch.set_num_threads(torch_before)


@contextmanager
def pool_of_one() -> Iterator[None]:
    with single_threaded_pool(1) as pool:
        assert pool.submit(torch.get_num_threads).result() == 1
        yield


@pytest.mark.parametrize("inner", [single_threaded, pool_of_one])
def test_a_thread_stays_alone_after_it_asked_for_that_again(
    inner: Callable[[], AbstractContextManager[None]],
) -> None:
    def ask() -> int:
        with inner():
            pass
        return torch.get_num_threads()

    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with single_threaded_pool(1) as pool:
            assert pool.submit(ask).result() == 1
            assert torch.get_num_threads() == 3
        with single_threaded():
            assert ask() == 1
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_libraries_are_listed_again_only_after_an_import(monkeypatch: pytest.MonkeyPatch) -> None:
    listed: list[int] = []

    class Listing(threadpoolctl.ThreadpoolController):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            listed.append(len(sys.modules))

    monkeypatch.setattr(threadpoolctl, "ThreadpoolController", Listing)
    for name, times in (("first_module", 1), ("first_module", 1), ("second_module", 2)):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
        with single_threaded_pool(1):
            assert len(listed) == times
    monkeypatch.undo()
    with single_threaded_pool(1):
        assert set(blas_threads()) == {1}
