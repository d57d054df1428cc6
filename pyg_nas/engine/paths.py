"""Choice of the code that computes a network: compiled kernels, or torch on any device."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from pyg_nas.compute.jit import compiled_enabled

COMPILED_ACTIVATION = torch.relu
"""The activation that the compiled kernels (``engine/compiled/``) implement."""


def use_compiled(device: torch.device, activations: Iterable[Callable[[Tensor], Tensor]]) -> bool:
    """Return whether compiled kernels may compute networks with these activations on a device.

    They run on a CPU and implement one activation. Networks of :mod:`pyg_nas.nn` with another one
    are computed by torch.

    Raises:
        SettingsError: If the environment variable ``PYG_NAS_ENGINE`` has an unknown value.
    """
    known = all(activation is COMPILED_ACTIVATION for activation in activations)
    return device.type == "cpu" and compiled_enabled() and known
