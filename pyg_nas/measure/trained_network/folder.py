"""A trained network as a folder: ``settings.json`` and ``weights.safetensors``, nothing pickled.

``settings.json`` has the cell and its space, the size of the network, the checksum of the weights,
and ``about``: its training and its results.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pyg_nas.errors import ModelError, PygNasError, quoted
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_network import NetworkSize
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.io.files import atomic_folder
from pyg_nas.io.formats.json_reader import read_object
from pyg_nas.predictors.storage.folder import (
    SETTINGS,
    WEIGHTS,
    read_weights,
    settings_checksum,
    settings_text,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

    from pyg_nas.measure.network import ImageNetwork
    from pyg_nas.measure.tasks.task import Task

FORMAT = 1
_KEYS = {"format", "space", "cell", "network", "about", "weights_sha256", "weights_bytes"}


def save_network(
    folder: str | os.PathLike[str],
    network: ImageNetwork,
    cell: Cell,
    task: Task,
    about: dict[str, Any],
    files: Mapping[str, bytes] | None = None,
) -> None:
    """Write a network to a new folder, completely or not at all.

    Args:
        folder: Must not exist, or be empty.
        network: The network, on the processor.
        about: JSON values that are stored with the network.
        files: Content of more files, by name.

    Raises:
        OSError: If the folder cannot be written.
    """
    from safetensors.torch import save

    weights = save({name: t.contiguous() for name, t in network.state_dict().items()})
    settings = {
        "format": FORMAT,
        "space": cell.space.to_dict(),
        "cell": cell.to_dict(),
        "network": {
            **asdict(task.network_size),
            "batch_norm_momentum": task.settings.batch_norm_momentum,
            **({"regression": True} if task.is_regression else {}),
        },
        "about": about,
    }
    text = settings_text(settings, weights)
    with atomic_folder(folder) as temporary:
        (temporary / SETTINGS).write_text(text, encoding="utf-8")
        (temporary / WEIGHTS).write_bytes(weights)
        for name, content in (files or {}).items():
            (temporary / name).write_bytes(content)


def read_network_settings(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the settings of a network's folder.

    Raises:
        ModelError: If they are missing or damaged, or the folder has something else.
    """
    path = Path(folder) / SETTINGS
    if not path.exists():
        raise ModelError(f"{folder}: not the folder of a trained network, {SETTINGS} is missing")
    settings = read_object(path, ModelError)
    if _KEYS - set(settings):
        raise ModelError(
            f"{folder}: not the folder of a trained network, which `pyg-nas finish` writes"
        )
    if type(settings["format"]) is not int or settings["format"] != FORMAT:
        raise ModelError(f"{path}: format {settings['format']!r}, this version reads {FORMAT}")
    if settings.get("settings_sha256") != settings_checksum(settings):
        raise ModelError(f"{path}: damaged or changed, its checksum differs")
    return settings


def load_network(folder: str | os.PathLike[str], cell: Cell | None = None) -> ImageNetwork:
    """Return the network of a folder on the processor, in evaluation mode.

    Args:
        folder: Written by :func:`save_network`.
        cell: Its cell; None for any cell.

    Raises:
        ModelError: If a file is missing, damaged or does not fit the others, or the network is of
            another cell.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load

    from pyg_nas.measure.network import ImageNetwork, Normalization, build_members

    folder = Path(folder)
    settings = read_network_settings(folder)
    try:
        stored, size, momentum = _architecture(settings)
        scale = (0.0, 1.0) if settings["network"].get("regression") else None
        # Without memory, so that shapes are compared before memory of the declared size is used.
        with torch.device("meta"):
            channels = np.ones(size.image_channels, dtype=np.float32)
            members = build_members(stored, size, momentum, 1)
            network = ImageNetwork(Normalization(channels, channels), members, scale)
        raw = read_weights(folder, settings, lambda zeros: _set_weights(network, zeros))
        _set_weights(network, load(raw))
    except ModelError:
        raise
    except (SafetensorError, PygNasError, TypeError, ValueError, KeyError, RuntimeError) as error:
        raise ModelError(f"{folder}: is not a network of this version: {error}") from error
    if cell is not None and cell != stored:
        raise ModelError(
            f"{folder}: has the network of cell {stored.hash}, {cell.hash} was requested"
        )
    return network.eval()


def _set_weights(network: nn.Module, tensors: dict[str, Tensor]) -> None:
    network.load_state_dict(tensors, assign=True)


def _architecture(settings: dict[str, Any]) -> tuple[Cell, NetworkSize, float]:
    described = dict(settings["network"])
    described.pop("regression", None)
    momentum = described.pop("batch_norm_momentum")
    size = NetworkSize.from_dict(described)
    if size is None:
        raise ValueError(
            f"network must be a size that can be trained, got {quoted(described, 200)}"
        )
    if type(momentum) not in (int, float) or not 0 <= momentum < 1:
        raise ValueError(f"batch_norm_momentum must be from 0 to below 1, got {momentum!r}")
    cell = Cell.from_dict(settings["cell"], SearchSpace.from_dict(settings["space"]))
    return cell, size, momentum
