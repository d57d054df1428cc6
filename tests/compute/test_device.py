"""Names of devices, and a clear error where there is no such device."""

from __future__ import annotations

import pytest
import torch

from pyg_nas.compute.device import check_device, pick_device
from pyg_nas.errors import SettingsError


def test_the_cpu_is_always_there() -> None:
    check_device("cpu")
    check_device("auto")
    assert pick_device("cpu") == torch.device("cpu")
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert pick_device("auto").type == expected


@pytest.mark.parametrize("name", ["", "gpu", "cuda:x", "cuda:-1", "cuda:1000"])
def test_other_names_are_quoted(name: str) -> None:
    with pytest.raises(SettingsError, match=f"device '{name}' must be auto, cpu, cuda or cuda:N"):
        check_device(name)


def test_a_device_that_is_not_here_is_refused() -> None:
    with pytest.raises(SettingsError, match="cannot be used here"):
        check_device("cuda:99")
