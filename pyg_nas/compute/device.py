"""Which torch device a name means, and whether it can be used, without torch where possible."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from pyg_nas.errors import SettingsError, one_line, quoted

if TYPE_CHECKING:
    import torch

_NAME = re.compile(r"auto|cpu(:0)?|(cuda|mps|xpu)(:[0-9]{1,3})?")


def check_device(device: str) -> None:
    """Check that a device can be used, before the work that needs it.

    Torch is imported only where its installation has CUDA and the device is another one than the
    processor.

    Raises:
        SettingsError: If it is no name of a device or there is no such device here.
    """
    if not _NAME.fullmatch(device):
        raise SettingsError(
            f"device {quoted(device)} must be auto, cpu, cuda or cuda:N with a whole number N"
        )
    if device.startswith("cuda") and _torch_version().endswith("+cpu"):
        raise SettingsError(
            f"device {device!r} cannot be used here: the installed torch "
            f"({_torch_version()}) is built without CUDA"
        )
    if device != "auto" and not device.startswith("cpu"):
        pick_device(device)


def pick_device(device: str) -> torch.device:
    """Return the torch device of a name; ``"auto"`` is CUDA where there is one.

    Raises:
        SettingsError: If there is no such device here.
    """
    import torch

    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(1, device=chosen)
    except (RuntimeError, AssertionError) as error:
        raise SettingsError(
            f"device {quoted(device)} cannot be used here: {one_line(error)}"
        ) from None
    return chosen


def _torch_version() -> str:
    try:
        return version("torch")
    except PackageNotFoundError:
        return ""
