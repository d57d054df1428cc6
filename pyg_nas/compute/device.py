"""Choice and check of a torch device by its name, without importing torch where possible."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pyg_nas.errors import SettingsError, one_line, quoted

if TYPE_CHECKING:
    import torch

_NAME = re.compile(r"auto|cpu(:0)?|(cuda|mps|xpu)(:[0-9]{1,3})?")


def is_device_name(text: str) -> bool:
    """Return whether a text is the name of a device, which this machine may not have."""
    return _NAME.fullmatch(text) is not None


def check_device(device: str) -> None:
    """Check that a device can be used, before the work that needs it.

    Torch is imported only if it is not built for the CPU alone and the device is not the CPU.

    Raises:
        SettingsError: If it is not a name of a device, or the machine does not have the device.
    """
    if not is_device_name(device):
        raise SettingsError(
            f"device {quoted(device)} must be auto, cpu, cuda or cuda:N with a whole number N"
        )
    if device == "auto" or device.startswith("cpu"):
        return
    if _torch_version().endswith("+cpu"):
        raise SettingsError(
            f"device {device!r} cannot be used here: the installed torch "
            f"({_torch_version()}) is built for the CPU alone"
        )
    pick_device(device)


def pick_device(device: str) -> torch.device:
    """Return the torch device of a name; ``"auto"`` is CUDA if there is a CUDA device.

    Raises:
        SettingsError: If the machine does not have the device.
    """
    import torch

    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(1, device=chosen)
    except (RuntimeError, AssertionError) as error:
        raise SettingsError(
            f"device {quoted(device)} cannot be used here: {one_line(error).partition('. ')[0]}"
        ) from None
    return chosen


def _torch_version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("torch")
    except PackageNotFoundError:
        return ""
