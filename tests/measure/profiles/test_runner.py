"""Networks that run: modules with and without memory, ONNX files, and their peak memory."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pyg_nas.errors import NetworkError, SettingsError
from pyg_nas.measure.profiles.runner import ModuleRunner, runner_of

CPU = torch.device("cpu")


class Kept(nn.Module):
    """Holds a result of 1 MB while another one is computed, and a third one afterwards."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("shift", torch.ones(10))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first = x + 1
        second = first * 2
        total = first + second
        del first, second
        return total.sum()


def test_peak_memory_by_hand() -> None:
    x = torch.zeros(250_000)
    runner = ModuleRunner(Kept(), x, CPU)
    # Three results of 1 MB at once and a buffer; the input is not the network's.
    assert runner.peak_memory() == pytest.approx(3e6 + 40, abs=200)


def test_modules_without_memory_get_finite_weights() -> None:
    with torch.device("meta"):
        module = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8))
    seen = []
    module.register_forward_hook(lambda *call: seen.append(call[2]))
    runner = runner_of((module, torch.zeros(2, 4, device="meta")), CPU, 1)
    runner.run()
    assert torch.isfinite(seen[-1]).all()
    assert not module.training
    assert (module[1].running_var == 1).all()


def test_plain_tensors_of_modules_without_memory_become_zeros() -> None:
    class Shifted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.shifts = [torch.arange(4)]

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + self.shifts[0]

    with torch.device("meta"):
        module = Shifted()
    ModuleRunner(module, torch.ones(4), CPU).run()
    assert module.shifts[0].tolist() == [0, 0, 0, 0]


def test_an_exported_program_runs() -> None:
    x = torch.zeros(2, 4)
    ModuleRunner(torch.export.export(nn.Linear(4, 3), (x,)).module(), x, CPU).run()


def test_named_inputs_run() -> None:
    class Named(nn.Module):
        def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
            return first - second

    runner_of((Named(), {"second": torch.ones(2), "first": torch.ones(2)}), CPU, 1).run()


@pytest.mark.parametrize("name", ["net.onnx", os.fsdecode(b"caf\xe9.onnx")])
def test_an_onnx_file_runs_and_its_memory_is_not_known(name: str, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    x = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["batch", 3])
    y = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["batch", 3])
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    graph = onnx.helper.make_graph([node], "g", [x], [y])
    path = tmp_path / name
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, path)
    runner = runner_of(path, CPU, 1)
    runner.run()
    assert np.isnan(runner.peak_memory())
    path.write_bytes(b"nothing")
    with pytest.raises(NetworkError, match="cannot load it"):
        runner_of(path, CPU, 1)


def test_a_missing_onnx_runtime_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(SettingsError, match="ONNX needs the package onnxruntime: pip install"):
        runner_of(tmp_path / "net.onnx", CPU, 1)


def test_a_network_that_does_not_run_is_refused() -> None:
    with pytest.raises(NetworkError, match="does not run on cpu: mat1"):
        runner_of((nn.Linear(3, 2), torch.zeros(1, 4)), CPU, 1)


class OutOfMemoryLater(nn.Module):
    """Runs once; the next pass fails."""

    passes = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.passes += 1
        if self.passes > 1:
            raise RuntimeError("out of memory")
        return x


def test_a_network_that_fails_in_a_later_pass_is_refused() -> None:
    runner = runner_of((OutOfMemoryLater(), torch.zeros(1)), CPU, 1)
    with pytest.raises(NetworkError, match="does not run on cpu: out of memory"):
        runner.peak_memory()


def test_a_network_that_is_larger_than_the_memory_is_refused() -> None:
    with torch.device("meta"):
        module = nn.Linear(10**7, 10**7)
    with pytest.raises(NetworkError, match=r"does not run on cpu: .*allocate"):
        runner_of((module, torch.zeros(1, 10**7, device="meta")), CPU, 1)
