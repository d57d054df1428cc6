"""Eight families of small image networks, and the draw of their configurations.

``build(family, size, **settings)`` is a builder for ``pyg-nas profile`` and ``NetworkDataset``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_network import NetworkSize
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.graphs.registry import find_space
from pyg_nas.measure.network import sized_network
from pyg_nas.spaces.nasbench101.network import ConvBnRelu

CLASSES = 10


def conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> nn.Module:
    """Return a convolution with batch normalisation."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    )


def activation(name: str) -> nn.Module:
    """Return an activation by its name in ``torch.nn``."""
    module: nn.Module = getattr(nn, name)()
    return module


def head(channels: int) -> list[nn.Module]:
    """Return the classifier of a network of images."""
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, CLASSES)]


class Residual(nn.Module):
    """The sum of a branch and of its input, which is projected where shapes differ."""

    def __init__(self, branch: nn.Module, project: nn.Module | None = None) -> None:
        super().__init__()
        self.branch = branch
        self.project = project

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum."""
        return self.branch(x) + (x if self.project is None else self.project(x))


def plain(width: int, depth: int, stages: int, kernel: int, act: str, pool: bool) -> nn.Module:
    """Convolutions one after another, as in VGG."""
    layers: list[nn.Module] = []
    channels = 3
    for stage in range(stages):
        for layer in range(depth):
            stride = 2 if stage and not layer and not pool else 1
            layers += [conv(channels, width << stage, kernel, stride), activation(act)]
            channels = width << stage
        if pool:
            layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, *head(channels))


def resnet(
    width: int, depth: int, stages: int, bottleneck: int, groups: int, act: str
) -> nn.Module:
    """Residual blocks, plain or with a bottleneck, as in ResNet and ResNeXt."""
    layers = [conv(3, width), activation(act)]
    channels = width
    for stage in range(stages):
        outputs = width << stage
        for layer in range(depth):
            stride = 2 if stage and not layer else 1
            inner = -(-outputs // (bottleneck * groups)) * groups  # divisible by the groups
            if bottleneck == 1:
                parts = [conv(channels, outputs, 3, stride), conv(outputs, outputs, groups=groups)]
            else:
                parts = [
                    conv(channels, inner, 1),
                    conv(inner, inner, 3, stride, groups),
                    conv(inner, outputs, 1),
                ]
            branch = [part for one in parts for part in (one, activation(act))][:-1]
            project = (
                conv(channels, outputs, 1, stride) if (channels, stride) != (outputs, 1) else None
            )
            layers += [Residual(nn.Sequential(*branch), project), activation(act)]
            channels = outputs
    return nn.Sequential(*layers, *head(channels))


class SqueezeExcite(nn.Module):
    """Weights of channels, computed from their means."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, inner, 1),
            nn.ReLU(),
            nn.Conv2d(inner, channels, 1),
            nn.Hardsigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the weighted channels."""
        return x * self.layers(x)


def mobilenet(
    width: int, depth: int, stages: int, expand: int, kernel: int, act: str, squeeze: bool
) -> nn.Module:
    """Inverted residual blocks with depthwise convolutions, as in MobileNet 2 and 3."""
    layers = [conv(3, width), activation(act)]
    channels = width
    for stage in range(stages):
        outputs = int(width * 1.5**stage)
        for layer in range(depth):
            stride = 2 if stage and not layer else 1
            inner = channels * expand
            parts = [conv(channels, inner, 1), activation(act)]
            parts += [conv(inner, inner, kernel, stride, inner), activation(act)]
            parts += [SqueezeExcite(inner, max(inner // 4, 4))] if squeeze else []
            block = nn.Sequential(*parts, conv(inner, outputs, 1))
            layers.append(Residual(block) if (channels, stride) == (outputs, 1) else block)
            channels = outputs
    return nn.Sequential(*layers, *head(channels))


class Dense(nn.Module):
    """A layer whose result is put beside its input."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """Return input and result side by side."""
        return torch.cat([x, self.layer(x)], dim=1)


def densenet(growth: int, depth: int, stages: int, bottleneck: bool, act: str) -> nn.Module:
    """Layers that read the results of all earlier ones, as in DenseNet."""
    channels = 2 * growth
    layers: list[nn.Module] = [conv(3, channels)]
    for stage in range(stages):
        for _ in range(depth):
            parts = [nn.BatchNorm2d(channels), activation(act)]
            inner = channels
            if bottleneck:
                inner = 4 * growth
                parts += [conv(channels, inner, 1), activation(act)]
            parts.append(nn.Conv2d(inner, growth, 3, padding=1, bias=False))
            layers.append(Dense(nn.Sequential(*parts)))
            channels += growth
        if stage < stages - 1:
            layers += [conv(channels, channels // 2, 1), activation(act), nn.AvgPool2d(2)]
            channels //= 2
    return nn.Sequential(*layers, nn.BatchNorm2d(channels), activation(act), *head(channels))


class ChannelsLast(nn.Module):
    """A module that works on the last axis, applied to the channels of images."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        """Return the images with the module applied."""
        return self.module(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def convnext(
    width: int, depth: int, stages: int, expand: int, kernel: int, patch: int
) -> nn.Module:
    """Large depthwise convolutions and layer normalisation, as in ConvNeXt."""
    layers: list[nn.Module] = [
        nn.Conv2d(3, width, patch, patch),
        ChannelsLast(nn.LayerNorm(width)),
    ]
    channels = width
    for stage in range(stages):
        if stage:
            layers += [
                ChannelsLast(nn.LayerNorm(channels)),
                nn.Conv2d(channels, 2 * channels, 2, 2),
            ]
            channels *= 2
        for _ in range(depth):
            mixing = nn.Sequential(
                nn.LayerNorm(channels),
                nn.Linear(channels, expand * channels),
                nn.GELU(),
                nn.Linear(expand * channels, channels),
            )
            spatial = nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels)
            layers.append(Residual(nn.Sequential(spatial, ChannelsLast(mixing))))
    return nn.Sequential(*layers, *head(channels))


class Patches(nn.Module):
    """Images as sequences of vectors, one for each square patch."""

    def __init__(self, width: int, patch: int) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, width, patch, patch)

    def forward(self, x: Tensor) -> Tensor:
        """Return float ``[B, patches, width]``."""
        return self.embed(x).flatten(2).transpose(1, 2)


class Attention(nn.Module):
    """Attention of several heads among the vectors of a sequence."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.inputs = nn.Linear(width, 3 * width)
        self.outputs = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return float ``[B, patches, width]``."""
        batch, length, width = x.shape
        query, key, value = self.inputs(x).chunk(3, dim=-1)
        shape = (batch, length, self.heads, width // self.heads)
        query, key, value = (part.view(shape).transpose(1, 2) for part in (query, key, value))
        mixed = nn.functional.scaled_dot_product_attention(query, key, value)
        return self.outputs(mixed.transpose(1, 2).reshape(batch, length, width))


class Transposed(nn.Module):
    """A module that is applied along the sequence."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        """Return float ``[B, patches, width]``."""
        return self.module(x.transpose(1, 2)).transpose(1, 2)


class MeanOfSequence(nn.Module):
    """The mean of the vectors of a sequence."""

    def forward(self, x: Tensor) -> Tensor:
        """Return float ``[B, width]``."""
        return x.mean(dim=1)


def two_layers(width: int, inner: int) -> nn.Module:
    """Return a perceptron with one hidden layer."""
    return nn.Sequential(nn.Linear(width, inner), nn.GELU(), nn.Linear(inner, width))


def transformer(width: int, depth: int, heads: int, expand: int, patch: int) -> nn.Module:
    """Attention among patches, as in ViT; ``width`` is that of a head."""
    width *= heads
    layers: list[nn.Module] = [Patches(width, patch)]
    for _ in range(depth):
        for branch in (Attention(width, heads), two_layers(width, expand * width)):
            layers.append(Residual(nn.Sequential(nn.LayerNorm(width), branch)))
    return nn.Sequential(*layers, nn.LayerNorm(width), MeanOfSequence(), nn.Linear(width, CLASSES))


def mixer(size: int, width: int, depth: int, tokens: int, expand: int, patch: int) -> nn.Module:
    """Perceptrons along the sequence and along the channels, as in MLP-Mixer."""
    length = (size // patch) ** 2
    layers: list[nn.Module] = [Patches(width, patch)]
    for _ in range(depth):
        for branch in (Transposed(two_layers(length, tokens)), two_layers(width, expand * width)):
            layers.append(Residual(nn.Sequential(nn.LayerNorm(width), branch)))
    return nn.Sequential(*layers, nn.LayerNorm(width), MeanOfSequence(), nn.Linear(width, CLASSES))


def cell_network(
    space: str, size: int, text: str, width: int, stages: int, depth: int
) -> nn.Module:
    """Return the network of a cell of a search space, as it was when the table was measured."""
    shape = NetworkSize(width, stages, depth, CLASSES, 3, (size, size))
    network = sized_network(Cell.from_text(text, find_space(space)), shape)[0]
    for module in network.modules():
        if isinstance(module, ConvBnRelu):  # today ReLU works in place, before axes are moved
            module[1].rectified = False
            module.append(nn.ReLU())
    return network


FAMILIES: dict[str, Callable[..., nn.Module]] = {
    "plain": plain,
    "resnet": resnet,
    "mobilenet": mobilenet,
    "densenet": densenet,
    "convnext": convnext,
    "transformer": transformer,
    "mixer": mixer,
    "nasbench101": partial(cell_network, "nasbench101"),
    "nasbench201": partial(cell_network, "nasbench201"),
}
_OF_KNOWN_SIZE = ("mixer", "nasbench101", "nasbench201")
_ACTIVATIONS = ["ReLU", "SiLU", "GELU", "Hardswish"]

_CELL_CHOICES = {
    "size": [16, 24, 32],
    "width": [8, 12, 16, 24],
    "stages": [2, 3],
    "depth": [1, 2],
}

CHOICES: dict[str, dict[str, list[Any]]] = {
    "plain": {
        "size": [24, 32, 48],
        "width": [8, 12, 16, 24, 32],
        "depth": [1, 2, 3],
        "stages": [2, 3, 4],
        "kernel": [3, 3, 5],
        "act": _ACTIVATIONS,
        "pool": [False, True],
    },
    "resnet": {
        "size": [24, 32, 48],
        "width": [8, 16, 24, 32],
        "depth": [1, 2, 3, 4],
        "stages": [2, 3, 4],
        "bottleneck": [1, 2, 4],
        "groups": [1, 1, 2, 4],
        "act": _ACTIVATIONS,
    },
    "mobilenet": {
        "size": [24, 32, 48],
        "width": [8, 12, 16, 24, 32],
        "depth": [1, 2, 3, 4],
        "stages": [2, 3, 4],
        "expand": [1, 2, 3, 4, 6],
        "kernel": [3, 5, 7],
        "act": _ACTIVATIONS,
        "squeeze": [False, True],
    },
    "densenet": {
        "size": [24, 32, 48],
        "growth": [4, 8, 12, 16, 24],
        "depth": [2, 3, 4, 6, 8],
        "stages": [2, 3],
        "bottleneck": [False, True],
        "act": _ACTIVATIONS,
    },
    "convnext": {
        "size": [32, 48, 64, 96],
        "width": [8, 16, 24, 32, 48],
        "depth": [1, 2, 3, 4],
        "stages": [2, 3],
        "expand": [2, 3, 4],
        "kernel": [3, 5, 7],
        "patch": [2, 4],
    },
    "transformer": {
        "size": [32, 48, 64, 96],
        "width": [16, 24, 32, 48],
        "depth": [2, 3, 4, 6, 8],
        "heads": [1, 2, 3, 4],
        "expand": [2, 3, 4],
        "patch": [4, 8],
    },
    "mixer": {
        "size": [32, 48, 64, 96],
        "width": [32, 48, 64, 96, 128],
        "depth": [2, 3, 4, 6, 8],
        "tokens": [16, 32, 64, 128],
        "expand": [2, 3, 4],
        "patch": [4, 8],
    },
    "nasbench101": _CELL_CHOICES,
    "nasbench201": _CELL_CHOICES,
}
"""What each argument of a family is drawn from."""


def build(family: str, size: int, **settings: Any) -> tuple[nn.Module, Tensor]:
    """Return a network of a family and one image of ``size`` pixels each way."""
    if family in _OF_KNOWN_SIZE:
        settings["size"] = size
    image = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(0))
    return FAMILIES[family](**settings), image


def configurations(per_family: int, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Yield different configurations, the families by turns."""
    rng = np.random.default_rng(seed)
    texts = {name: _texts(name, per_family, seed) for name in ("nasbench101", "nasbench201")}
    seen = set()
    for number in range(per_family):
        for family, choices in CHOICES.items():
            while True:
                drawn = {
                    name: values[rng.integers(len(values))] for name, values in choices.items()
                }
                if family in texts:
                    drawn["text"] = texts[family][number]
                key = json.dumps([family, drawn])
                if key not in seen:
                    break
            seen.add(key)
            yield {"family": family, **drawn}


def _texts(space: str, number: int, seed: int) -> list[str]:
    """Return the text forms of different cells of a space, drawn uniformly."""
    cells = find_space(space).support.cells()
    with_operations = cells[np.flatnonzero(cells.num_vertices > 2)]
    return [cell.to_text() for cell in sample_cells(number, seed, with_operations)]
