"""Layers for several networks of one architecture that are trained side by side.

The overhead of each call dominates the time of small networks, so that ``M`` of them, the
*members*, are computed by the same call as groups of one convolution. They share nothing else.
States are
``[B, H, W, M, C]``: batch, height, width, member, channel.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

BATCH_NORM_EPSILON = 1e-5

# Standard deviation of a unit normal distribution that is truncated at ±2.
_CUT_NORMAL_DEVIATION = 0.87962566103423978


def to_image(x: Tensor) -> Tensor:
    """Map ``[B, H, W, M, C]`` to an image ``[B, M * C, H, W]`` in channels-last memory."""
    return x.flatten(3).permute(0, 3, 1, 2)


def from_image(image: Tensor, members: int) -> Tensor:
    """Map ``[B, M * C, H, W]`` in channels-last memory to ``[B, H, W, M, C]``."""
    x = image.permute(0, 2, 3, 1)
    return x.reshape(*x.shape[:3], members, -1)


class GroupedConv(nn.Module):
    """Convolution without bias, padded so that stride 1 preserves the image's size.

    Args:
        in_channels: Channels of the input, of each member.
        out_channels: Channels of the output, of each member.
        kernel_size: Odd kernel size.
        members: Number of networks trained side by side.
        stride: Step between outputs.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, members: int, stride: int = 1
    ) -> None:
        super().__init__()
        self.members = members
        self.stride = stride
        self.weight = nn.Parameter(
            torch.empty(members * out_channels, in_channels, kernel_size, kernel_size)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, H, W, M, C]`` to ``[B, H', W', M, C']``."""
        padding = self.weight.shape[-1] // 2
        image = functional.conv2d(
            to_image(x), self.weight, None, self.stride, padding, groups=self.members
        )
        return from_image(image, self.members)

    @torch.no_grad()
    def initialize(self, member: int, generator: torch.Generator) -> None:
        """Draw a member's kernels from a truncated normal distribution of variance 1 / fan-in."""
        kernel = self.weight.chunk(self.members)[member]
        deviation = kernel[0].numel() ** -0.5 / _CUT_NORMAL_DEVIATION
        drawn = torch.empty(kernel.shape)
        nn.init.trunc_normal_(drawn, 0.0, deviation, -2 * deviation, 2 * deviation, generator)
        kernel.copy_(drawn)


class GroupedBatchNorm(nn.Module):
    """Batch normalisation of each channel of each member.

    Args:
        channels: Channels of each member.
        members: Number of networks trained side by side.
        momentum: Share of the running statistics that is retained at every step.
        rectified: Whether ReLU follows, which then needs no memory of its own.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(
        self, channels: int, members: int, momentum: float, rectified: bool = False
    ) -> None:
        super().__init__()
        self.momentum = momentum
        self.rectified = rectified
        self.scale = nn.Parameter(torch.ones(members * channels))
        self.shift = nn.Parameter(torch.zeros(members * channels))
        self.register_buffer("running_mean", torch.zeros(members * channels))
        self.register_buffer("running_var", torch.ones(members * channels))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, H, W, M, C]`` to the same shape."""
        image = functional.batch_norm(
            to_image(x),
            self.running_mean,
            self.running_var,
            self.scale,
            self.shift,
            training=self.training,
            momentum=1 - self.momentum,
            eps=BATCH_NORM_EPSILON,
        )
        if self.rectified:
            image = functional.relu_(image)
        return from_image(image, x.shape[3])


class MaxPool(nn.MaxPool2d):
    """Max pooling of ``[B, H, W, M, C]`` over height and width."""

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, H, W, M, C]`` to ``[B, H', W', M, C]``."""
        return from_image(super().forward(to_image(x)), x.shape[3])


def halvings(stride: int) -> list[nn.Module]:
    """Return the 2x2 max poolings that divide height and width by a power of two."""
    return [MaxPool(2, stride=2, padding=0) for _ in range(max(stride, 1).bit_length() - 1)]


class GroupedLinear(nn.Module):
    """The dense layer of each member.

    Args:
        in_features: Features of each member.
        num_labels: Number of classes.
        members: Number of networks trained side by side.
    """

    def __init__(self, in_features: int, num_labels: int, members: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(members, in_features, num_labels))
        self.bias = nn.Parameter(torch.zeros(members, 1, num_labels))

    def forward(self, features: Tensor) -> Tensor:
        """Map ``[M, B, C]`` to logits ``[M, B, labels]``."""
        return torch.baddbmm(self.bias, features, self.weight)

    @torch.no_grad()
    def initialize(self, member: int, generator: torch.Generator) -> None:
        """Draw a member's weights from the Glorot uniform distribution."""
        drawn = torch.empty(self.weight.shape[1:])
        nn.init.xavier_uniform_(drawn, generator=generator)
        self.weight[member].copy_(drawn)


class CellLayer(nn.Module):
    """Base of the layers that are one cell of a network."""


class GroupedNetwork(nn.Module):
    """Layers, the mean over the image and a dense layer, for several members.

    Args:
        layers: Map images ``[B, H, W, M, channels]`` to states ``[B, H', W', M, C]``.
        channels: ``C``.
        num_labels: Number of classes.
        members: Number of networks trained side by side.
    """

    def __init__(
        self, layers: Sequence[nn.Module], channels: int, num_labels: int, members: int
    ) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.dense = GroupedLinear(channels, num_labels, members)

    @property
    def cells(self) -> list[nn.Module]:
        """The layers that are cells, in their order."""
        return [layer for layer in self.layers if isinstance(layer, CellLayer)]

    def forward(self, images: Tensor) -> Tensor:
        """Map each member's images ``[M, B, C, H, W]`` to logits ``[M, B, labels]``."""
        return self.classify(self.layers(images.permute(1, 3, 4, 0, 2)))

    def classify(self, states: Tensor) -> Tensor:
        """Map the last layer's states ``[B, H, W, M, C]`` to logits ``[M, B, labels]``."""
        logits: Tensor = self.dense(states.mean(dim=(1, 2)).transpose(0, 1))
        return logits

    def initialize(self, generators: Sequence[torch.Generator]) -> None:
        """Draw every member's weights from its own generator."""
        initialize_members(self, generators)


def initialize_members(network: nn.Module, generators: Sequence[torch.Generator]) -> None:
    """Draw every member's weights from its own generator, layer after layer."""
    for member, generator in enumerate(generators):
        for module in network.modules():
            if isinstance(module, (GroupedConv, GroupedLinear)):
                module.initialize(member, generator)
