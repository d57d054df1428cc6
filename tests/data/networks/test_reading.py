"""Several processes read the same networks as one, and refuse the same."""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from pyg_nas.data.networks.reading import read_networks
from pyg_nas.data.networks.sources import NetworkSource, built_networks, network_sources
from pyg_nas.errors import NetworkError, SettingsError
from tests.spaces.modules.networks import random_network


def warn(width: int) -> tuple[nn.Module, torch.Tensor]:
    warnings.warn(f"width {width}", stacklevel=1)
    return nn.Linear(4, width), torch.zeros(1, 4)


def build(width: int) -> tuple[nn.Module, torch.Tensor]:
    if width == 13:
        os.kill(os.getpid(), signal.SIGKILL)
    return nn.Linear(4, width), torch.zeros(1, 4)


def test_processes_return_the_networks_of_one_process_in_their_order() -> None:
    sources = built_networks(build, [{"width": width} for width in range(1, 9)])
    sources += network_sources([random_network(5, seed=0), (nn.Linear(2, 2), torch.zeros(1, 2))])
    reported: list[tuple[int, int]] = []
    found = read_networks(sources, lambda *counts: reported.append(counts), workers=2)
    assert found.digest == read_networks(sources).digest
    assert reported == [(done, 10) for done in range(1, 11)]


def test_processes_warn_as_one_process_does() -> None:
    sources = built_networks(warn, [{"width": width} for width in (1, 2, 3)])
    for workers in (1, 2):
        with pytest.warns(UserWarning, match="width") as caught:
            read_networks(sources, workers=workers)
        assert sorted(str(one.message) for one in caught) == ["width 1", "width 2", "width 3"]


def test_no_more_processes_than_networks_start(monkeypatch: pytest.MonkeyPatch) -> None:
    from joblib.externals import loky

    class Recorded(loky.ProcessPoolExecutor):
        def __init__(self, workers: int, **settings: Any) -> None:
            started.append(workers)
            super().__init__(workers, **settings)

    started: list[int] = []
    monkeypatch.setattr(loky, "ProcessPoolExecutor", Recorded)
    graphs = [random_network(5, seed=seed) for seed in range(2)]
    assert len(read_networks(network_sources(graphs), workers=1000)) == 2
    assert started == [2]


def test_processes_refuse_what_one_process_refuses() -> None:
    widths = [{"width": width} for width in ("wide", 2, None, 3)]
    messages = []
    for workers in (1, 2):
        with pytest.raises(NetworkError) as raised:
            read_networks(built_networks(build, widths), workers=workers)
        messages.append(str(raised.value))
    assert messages[0] == messages[1]
    assert messages[0].startswith("2 of 4 networks cannot be read")


def test_a_network_that_ends_its_process_is_named() -> None:
    sources = built_networks(build, [{"width": width} for width in (1, 13, 2)])
    with pytest.raises(
        NetworkError,
        match=r"^1 of 3 networks .*network 1 \(width=13\): the process that read it has ended: ",
    ):
        read_networks(sources, workers=2)


def test_a_network_that_cannot_be_sent_is_named() -> None:
    module = nn.Linear(1, 1)
    module.lock = threading.Lock()  # type: ignore[assignment]
    pair = (module, torch.zeros(1, 1))
    assert len(read_networks(network_sources([pair]))) == 1
    with pytest.raises(NetworkError, match=r"^network 0: cannot be sent .*lock"):
        read_networks(network_sources([pair]), workers=2)


def test_a_message_does_not_name_the_network_twice() -> None:
    def fail() -> None:
        raise NetworkError("net.onnx: cannot be read")

    with pytest.raises(NetworkError, match=r"^net\.onnx: cannot be read$"):
        read_networks([NetworkSource("net.onnx", fail)])


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.onnx").write_text("no network")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(
        SettingsError, match=r"^ONNX needs the package onnx: pip install '.\[export"
    ):
        read_networks(network_sources(tmp_path))


def test_all_networks_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    for name in ("a", "c"):
        (tmp_path / f"{name}.onnx").write_text("no network")
    graph = random_network(5, seed=0)
    readable = NetworkSource("b", lambda: graph)
    refused, reported = network_sources(tmp_path), []
    with pytest.raises(NetworkError) as raised:
        read_networks([refused[0], readable, refused[1]], lambda *counts: reported.append(counts))
    first, *others = str(raised.value).splitlines()
    assert first == "2 of 3 networks cannot be read, repair or remove them:"
    for line, name in zip(others, ("a", "c"), strict=True):
        assert line.startswith(f"  {tmp_path / name}.onnx: cannot be read as ONNX (")
    assert reported == [(1, 3), (2, 3), (3, 3)]
