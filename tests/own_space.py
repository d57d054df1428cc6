"""A space of a user, in a file, with a pretrained stem."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pyg_nas.graphs import registry

SOURCE = """
from pathlib import Path

import torch
from torch import nn

from pyg_nas.spaces.own import CellModule, Frozen, OwnSpace

OPERATIONS = {
    "conv": lambda channels: nn.Conv2d(channels, channels, 3, padding=1),
    "norm": lambda channels: nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU()),
}


def stem(channels):
    layers = nn.Sequential(nn.Conv2d(channels, 4, 3, padding=1), nn.BatchNorm2d(4))
    weights = torch.load(Path(__file__).with_name("stem.pt"), weights_only=True)
    layers.load_state_dict(weights)
    return Frozen(layers)


def build(cell, task):
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, task.num_labels)]
    return nn.Sequential(stem(task.image_channels), CellModule(cell, OPERATIONS, 4), *head)


SPACE = OwnSpace("users", OPERATIONS, build, max_vertices=4, max_edges=5)
"""


def write_stem(path: Path, channels: int = 1, seed: int = 7) -> dict[str, torch.Tensor]:
    """Write the weights of the stem, and return them."""
    torch.manual_seed(seed)
    layers = torch.nn.Sequential(
        torch.nn.Conv2d(channels, 4, 3, padding=1), torch.nn.BatchNorm2d(4)
    )
    layers[1].running_mean.fill_(0.25)
    torch.save(layers.state_dict(), path)
    return layers.state_dict()


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the registry as it is in a new process."""
    monkeypatch.setattr(registry, "_supports", {})
    monkeypatch.setattr(registry, "_references", {})
    registry.support_of.cache_clear()
