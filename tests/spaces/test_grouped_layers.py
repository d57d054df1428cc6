"""Layers of several members against the plain layers of each."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from pyg_nas.spaces.grouped_layers import (
    GroupedBatchNorm,
    GroupedConv,
    GroupedLinear,
    from_image,
    initialize_members,
    to_image,
)

MEMBERS = 3


def states() -> torch.Tensor:
    return torch.randn(2, 5, 4, MEMBERS, 6, generator=torch.Generator().manual_seed(0))


def test_images_and_states_are_views_of_each_other() -> None:
    x = states()
    assert torch.equal(from_image(to_image(x), MEMBERS), x)
    assert to_image(x).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(("kernel_size", "stride"), [(1, 1), (3, 1), (3, 2)])
def test_every_member_has_its_own_convolution(kernel_size: int, stride: int) -> None:
    layer = GroupedConv(6, 8, kernel_size, MEMBERS, stride)
    initialize_members(layer, [torch.Generator().manual_seed(m) for m in range(MEMBERS)])
    x = states()
    found = layer(x)
    for member in range(MEMBERS):
        weight = layer.weight[8 * member : 8 * (member + 1)]
        image = x[..., member, :].permute(0, 3, 1, 2)
        expected = functional.conv2d(image, weight, stride=stride, padding=kernel_size // 2)
        assert torch.allclose(found[..., member, :].permute(0, 3, 1, 2), expected, atol=1e-5)


def test_batch_norm_is_torch_s_for_every_member() -> None:
    layer = GroupedBatchNorm(6, MEMBERS, momentum=0.9)
    plain = nn.BatchNorm2d(6, momentum=0.1)
    x = states()
    found = layer(x)[..., 1, :].permute(0, 3, 1, 2)
    assert torch.allclose(found, plain(x[..., 1, :].permute(0, 3, 1, 2)), atol=1e-5)
    assert torch.allclose(layer.running_mean[6:12], plain.running_mean)
    assert torch.allclose(layer.running_var[6:12], plain.running_var)


def test_relu_after_batch_norm_takes_no_memory_of_its_own() -> None:
    rectified, plain = (
        GroupedBatchNorm(6, MEMBERS, 0.9, rectified=True),
        GroupedBatchNorm(6, MEMBERS, 0.9),
    )
    x, y = (states().requires_grad_() for _ in range(2))
    found, expected = rectified(x), functional.relu(plain(y))
    assert torch.equal(found, expected)
    found.square().sum().backward()
    expected.square().sum().backward()
    for ours, theirs in ((x, y), (rectified.scale, plain.scale)):
        assert ours.grad is not None
        assert theirs.grad is not None
        assert torch.equal(ours.grad, theirs.grad)


def test_running_statistics_keep_the_given_share() -> None:
    layer = GroupedBatchNorm(1, 1, momentum=0.9)
    images = torch.arange(8.0).view(2, 2, 2, 1, 1)
    layer(images)
    assert layer.running_mean.item() == pytest.approx(0.1 * 3.5)
    assert layer.running_var.item() == pytest.approx(0.9 + 0.1 * images.var().item())


def test_a_member_s_weights_depend_on_its_own_generator_alone() -> None:
    alone, together = GroupedConv(4, 5, 3, 1), GroupedConv(4, 5, 3, 2)
    initialize_members(alone, [torch.Generator().manual_seed(7)])
    initialize_members(together, [torch.Generator().manual_seed(seed) for seed in (3, 7)])
    assert torch.equal(together.weight[5:], alone.weight)
    assert not torch.equal(together.weight[:5], alone.weight)


def test_the_dense_layer_has_weights_and_bias_of_its_own_for_every_member() -> None:
    layer = GroupedLinear(6, 4, 2)
    initialize_members(layer, [torch.Generator().manual_seed(m) for m in range(2)])
    with torch.no_grad():
        layer.bias[1] = 2.0
    features = torch.randn(2, 7, 6, generator=torch.Generator().manual_seed(1))
    found = layer(features)
    assert torch.allclose(found[0], features[0] @ layer.weight[0], atol=1e-6)
    assert torch.allclose(found[1], features[1] @ layer.weight[1] + 2, atol=1e-6)
