"""Names of devices."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from pyg_nas.compute import device as module
from pyg_nas.compute.device import check_device, pick_device
from pyg_nas.errors import SettingsError


@pytest.mark.parametrize("name", ["", "gpu", "[/red]", "cuda:", "cuda:-1", "cuda:9999", "CPU", "²"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="must be auto, cpu, cuda or cuda:N"):
        check_device(name)


def test_the_processor_is_always_there() -> None:
    for name in ("auto", "cpu"):
        check_device(name)
        pick_device(name)
    assert pick_device("cpu") == torch.device("cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_missing_device_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for version in ("2.13.0+cpu", "2.13.0"):
        monkeypatch.setattr(module, "_torch_version", lambda version=version: version)
        with pytest.raises(SettingsError, match="device 'cuda' cannot be used here"):
            check_device("cuda")


def test_an_installation_without_cuda_is_known_without_torch() -> None:
    script = """
import sys
from pyg_nas.compute import device
device._torch_version = lambda: "2.13.0+cpu"
try:
    device.check_device("cuda:1")
except device.SettingsError as error:
    print(error, "torch" in sys.modules)
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == (
        "device 'cuda:1' cannot be used here: the installed torch (2.13.0+cpu) is built for the "
        "CPU alone False\n"
    )
