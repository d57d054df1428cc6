"""Functions of one operation: different ones have different hashes, one in all forms has one."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from pyg_nas.spaces.modules import graph_of, graph_of_onnx
from pyg_nas.spaces.modules.functions import described, function_of, is_commutative
from tests.spaces.modules.torch_modules import Function

IMAGES = torch.zeros(1, 4, 8, 8)
MASK = torch.ones(8, 8, dtype=torch.bool)


def _set(x: Tensor, index: Any) -> Tensor:
    changed = x.clone()
    changed[index] = 0.0
    return changed


def _filled_view(x: Tensor, start: int) -> Tensor:
    x[start : start + 1].fill_(5.0)
    return x


def _hashes(modules: tuple[Any, ...], *inputs: Tensor) -> set[str]:
    """Return the hashes of modules, or of functions of the inputs."""
    made = [m if isinstance(m, nn.Module) else Function(m) for m in modules]
    return {graph_of(module, *inputs).hash for module in made}


@pytest.mark.parametrize(
    "modules",
    [
        (nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=2, dilation=2)),
        (nn.ELU(), nn.ELU(0.5), nn.SELU(), nn.CELU(0.5)),
        (nn.LeakyReLU(), nn.LeakyReLU(0.2)),
        (nn.GELU(), nn.GELU("tanh")),
        (nn.Sigmoid(), nn.LogSigmoid()),
        (nn.Softmax(2), nn.Softmax(3), nn.LogSoftmax(3)),
        (nn.AvgPool2d(3, 1, 1), nn.AvgPool2d(3, 1, 1, count_include_pad=False)),
        (nn.Upsample(scale_factor=2), nn.Upsample(scale_factor=2, mode="bilinear")),
        (nn.ZeroPad2d(1), nn.ReflectionPad2d(1), nn.ReplicationPad2d(1)),
        (nn.GroupNorm(2, 4), nn.GroupNorm(2, 4, eps=0.1)),
        (nn.LSTM(8, 8), nn.LSTM(8, 8, batch_first=True)),
        (lambda x: x[:, 0], lambda x: x[:, 1]),
        (lambda x: x * 2, lambda x: x * 0.5, lambda x: x / 2, lambda x: 2 / x),
        (lambda x: x**2, lambda x: x**3, lambda x: x.exp(), lambda x: x.sqrt()),
        (lambda x: x.mean(2), lambda x: x.mean(3), lambda x: x.std(3), lambda x: x.amax(3)),
        (lambda x: x.transpose(2, 3), lambda x: x.flip(3), lambda x: x.roll(1, 3)),
        (lambda x: functional.channel_shuffle(x, 2), lambda x: functional.channel_shuffle(x, 4)),
        (lambda x: functional.pad(x, (2, 0)), lambda x: functional.pad(x, (0, 2))),
        (
            lambda x: functional.scaled_dot_product_attention(x, x, x),
            lambda x: functional.scaled_dot_product_attention(x, x, x, is_causal=True),
            lambda x: functional.scaled_dot_product_attention(x, x, x, scale=1.0),
        ),
        (lambda x: torch.einsum("abij,abjk", x, x), lambda x: torch.einsum("abij,abkj", x, x)),
        (
            lambda x: x.tanh() + x.sigmoid(),
            lambda x: x.tanh() - x.sigmoid(),
            lambda x: x.sigmoid() - x.tanh(),
            lambda x: torch.maximum(x.tanh(), x.sigmoid()),
            lambda x: torch.minimum(x.tanh(), x.sigmoid()),
        ),
        (
            lambda x: torch.where(x > 0, x.tanh(), x),
            lambda x: torch.where(x > 0, x, x.tanh()),
            lambda x: torch.where(x < 0, x, x.tanh()),
        ),
        (
            lambda x: torch.add(x, x.tanh(), alpha=2),
            lambda x: torch.add(x.tanh(), x, alpha=2),
            lambda x: x.tanh() + x,
        ),
        (lambda x: x - torch.ones(8), lambda x: torch.ones(8) - x),
        (lambda x: x.split([1, 3], 1)[0], lambda x: x.split([3, 1], 1)[1]),
        (lambda x: x.chunk(2, 1)[0].tanh(), lambda x: x.chunk(2, 1)[1].tanh()),
        (lambda x: x.amax(2), lambda x: x.amax(3)),
        (lambda x: x.std(1), lambda x: x.std()),
        (lambda x: x.roll(1), lambda x: x.roll(1, 1)),
        (lambda x: x.chunk(2, 1)[0].reshape(-1), lambda x: x.chunk(2, 1)[1].reshape(-1)),
        (lambda x: x.max(1)[0].double(), lambda x: x.max(1)[1].double()),
        (lambda x: x.chunk(2, 1)[0].mT, lambda x: x.chunk(2, 1)[1].mT),
        (lambda x: torch.hsplit(x, [1, 3])[1].sum(1), lambda x: torch.hsplit(x, [1, 2])[1].sum(1)),
        (lambda x: x * torch.arange(8).tanh(), lambda x: x * torch.arange(8).sigmoid()),
        (lambda x: x * torch.arange(8).float(), lambda x: x * (torch.arange(8) + 1).float()),
        (lambda x: x.where(MASK.tril(), x * 0), lambda x: x.where(MASK.triu(), x * 0)),
        (lambda x: torch.cat([x, x.tanh()]), lambda x: torch.cat([x.tanh(), x])),
        (nn.Conv2d(4, 4, 3, 4), nn.Conv2d(4, 4, 3, 4, padding=1)),
        (nn.MaxPool2d(3, 2, 1), nn.MaxPool2d(3, 2, ceil_mode=True)),
        (nn.InstanceNorm2d(4), nn.InstanceNorm2d(4, track_running_stats=True)),
        (nn.LocalResponseNorm(2), nn.LocalResponseNorm(3)),
        (nn.LayerNorm(8, elementwise_affine=False), nn.LayerNorm([8, 8], elementwise_affine=False)),
        (
            Function(lambda layer, x: x * layer.weight, nn.Linear(1, 8)),
            Function(lambda layer, x: x * layer.weight, nn.Linear(8, 1)),
        ),
        (lambda x: x[..., 0], lambda x: x[..., 0, :]),
        (lambda x: x.chunk(2, 1)[0][:, 0], lambda x: x.chunk(2, 1)[1][:, 0]),
        (
            lambda x: x * _set(torch.zeros(8), 0),
            lambda x: x * _set(torch.zeros(8), 1),
            lambda x: x * _set(torch.ones(8), 0),
            lambda x: x * _set(_set(torch.ones(8), 0), 1),
            lambda x: x * _filled_view(torch.ones(8), 0),
            lambda x: x * _filled_view(torch.ones(8), 1),
        ),
        (
            lambda x: functional.interpolate(x, scale_factor=1.3),
            lambda x: functional.interpolate(x, size=10),
            lambda x: functional.interpolate(x, scale_factor=1.35, mode="bilinear"),
            lambda x: functional.interpolate(x, scale_factor=1.3, mode="bilinear"),
        ),
        (lambda x: x.clamp(min=x.tanh()), lambda x: x.clamp(max=x.tanh())),
        (
            Function(lambda b, x: functional.layer_norm(x, (8,), b.bias), nn.Linear(8, 8)),
            Function(lambda b, x: functional.layer_norm(x, (8,), None, b.bias), nn.Linear(8, 8)),
        ),
        (
            lambda x: _set(x, torch.tensor([1])),
            lambda x: _set(x[:, 0], (0, torch.tensor([1, 0, 1, 0, 1, 0, 1, 0]))),
            lambda x: _set(x[:, 0], (0, torch.tensor([1, 0, 1, 0, 1, 0, 1, 0]).bool())),
        ),
        (
            lambda x: x.lerp(x.tanh(), weight=torch.tensor(0.3)),
            lambda x: x.lerp(x.tanh(), weight=torch.tensor(0.4)),
        ),
        (
            lambda x: x * torch.linspace(0, 1, 16).tanh().chunk(2)[0],
            lambda x: x * torch.linspace(0, 1, 16).tanh().chunk(2)[1],
        ),
        (lambda x: x.flip(()), lambda x: x.flip((0, 1, 2, 3))),
        (
            lambda x: torch.ops.aten.upsample_nearest2d(x, [10, 10], 1.3, 1.3),
            lambda x: torch.ops.aten.upsample_nearest2d(x, [10, 10]),
        ),
        (
            lambda x: x.chunk(2, 1)[0] + x.tanh().chunk(2, 1)[1],
            lambda x: x.chunk(2, 1)[1] + x.tanh().chunk(2, 1)[0],
        ),
        (
            lambda x: torch.maximum(x.chunk(2, 1)[0], x.tanh().chunk(2, 1)[1]),
            lambda x: torch.maximum(x.chunk(2, 1)[1], x.tanh().chunk(2, 1)[0]),
        ),
        # What is the default of another function.
        (lambda x: functional.rms_norm(x, (8,)), lambda x: functional.rms_norm(x, (8,), eps=1e-5)),
        (lambda x: functional.normalize(x), lambda x: functional.normalize(x, eps=1e-5)),
        (lambda x: torch.addcmul(x, x, x), lambda x: torch.addcmul(x, x, x, value=0)),
    ],
)
def test_different_functions_have_different_hashes(modules: tuple[Any, ...]) -> None:
    images = IMAGES[0] if isinstance(modules[0], nn.LSTM) else IMAGES
    assert len(_hashes(modules, images)) == len(modules)


def test_rows_of_an_embedding_that_are_left_out_or_scaled() -> None:
    rows, weights = torch.zeros(4, 4, dtype=torch.long), nn.Embedding(5, 4)
    calls = (
        lambda e, i: functional.embedding_bag(i, e.weight, mode="sum"),
        lambda e, i: functional.embedding_bag(i, e.weight, mode="sum", padding_idx=0),
        lambda e, i: functional.embedding_bag(i, e.weight, mode="sum", max_norm=1.0),
    )
    assert len(_hashes(tuple(Function(call, weights) for call in calls), rows)) == len(calls)
    assert len(_hashes((nn.Embedding(5, 4), nn.Embedding(5, 4, padding_idx=0)), rows)) == 1


def test_optional_tensors_of_one_shape() -> None:
    layer = nn.MultiheadAttention(4, 2, batch_first=True)
    calls = (
        lambda a, x, mask: a(x, x, x, attn_mask=mask)[0],
        lambda a, x, mask: a(x, x, x, key_padding_mask=mask)[0],
    )
    inputs = torch.zeros(4, 4, 4), torch.zeros(4, 4, dtype=torch.bool)
    assert len(_hashes(tuple(Function(call, layer) for call in calls), *inputs)) == len(calls)


def test_a_product_with_a_bias_that_is_computed() -> None:
    def call(*order: int) -> Callable[[Tensor], Tensor]:
        return lambda x: torch.addmm(*([x, x.tanh(), x.sigmoid()][i] for i in order))

    calls = (call(0, 1, 2), call(1, 0, 2), lambda x: functional.linear(x, x.tanh(), x.sigmoid()))
    assert len(_hashes(calls, torch.zeros(4, 4))) == len(calls)


def test_a_network_has_one_hash_with_random_constants() -> None:
    def scaled(x: Tensor) -> Tensor:
        return x * torch.zeros(1).uniform_() * torch.zeros(()).exponential_()

    assert len({graph_of(Function(scaled), IMAGES).hash for _ in range(3)}) == 1


def test_results_of_one_function_are_told_apart() -> None:
    def part(take: Callable[[Any], Tensor]) -> Function:
        return Function(lambda layer, x: take(layer(x)), nn.LSTM(4, 4))

    parts = (
        part(lambda r: r[0][-1:]),
        part(lambda r: r[1][0]),
        part(lambda r: r[1][1]),
        part(lambda r: functional.dropout(r[1][1], 0.5).tanh()),
        part(lambda r: r[1][0].tanh()),
    )
    assert len(_hashes(parts, torch.zeros(3, 2, 4))) == len(parts)


def test_networks_that_share_weights_in_another_way_are_different() -> None:
    def chain(*order: int) -> nn.Module:
        layers = [nn.Linear(8, 8) for _ in range(4)]
        return nn.Sequential(*(layers[number] for number in order))

    orders = [(0, 0, 0, 0), (0, 0, 1, 1), (0, 1, 0, 1), (0, 1, 1, 0), (0, 1, 2, 3)]
    assert len(_hashes(tuple(chain(*order) for order in orders), IMAGES)) == len(orders)
    assert len(_hashes((chain(0, 1, 0, 1), chain(3, 2, 3, 2)), IMAGES)) == 1


def _convolutions() -> tuple[Any, ...]:
    layer = nn.Conv2d(4, 4, 3, padding=2, dilation=2, groups=2)
    calls = (
        lambda c, x: functional.conv2d(x, c.weight, c.bias, padding=2, dilation=2, groups=2),
        lambda c, x: torch.conv2d(x, c.weight, c.bias, 1, (2, 2), (2, 2), 2),
        lambda c, x: torch.ops.aten.conv2d(x, c.weight, c.bias, [1, 1], [2, 2], [2, 2], 2),
    )
    return (layer, *(Function(call, layer) for call in calls))


@pytest.mark.parametrize(
    "modules",
    [
        _convolutions(),
        (nn.ReLU(), nn.ReLU(inplace=True), functional.relu, torch.relu, lambda x: x.relu_()),
        (
            nn.ReLU6(),
            functional.relu6,
            lambda x: x.clamp(0, 6),
            lambda x: torch.clip(x, max=6.0, min=0),
        ),
        (nn.Hardtanh(), functional.hardtanh, lambda x: x.clamp(-1, 1)),
        (nn.ELU(0.5), lambda x: functional.elu(x, 0.5), lambda x: functional.elu_(x, alpha=0.5)),
        (nn.Softmax(-1), lambda x: x.softmax(3), lambda x: torch.softmax(x, dim=-1)),
        (nn.MaxPool2d(2), lambda x: functional.max_pool2d(x, 2), lambda x: torch.max_pool2d(x, 2)),
        (
            nn.Flatten(),
            lambda x: x.flatten(1),
            lambda x: x.view(1, -1),
            lambda x: x.reshape(1, 256),
        ),
        (nn.GLU(1), lambda x: functional.glu(x, -3)),
        (nn.GLU(), lambda x: functional.glu(x, 3)),
        (
            nn.Upsample(scale_factor=2, mode="bilinear"),
            lambda x: functional.interpolate(x, (16, 16), mode="bilinear", align_corners=False),
        ),
        (lambda x: x.mean((2, 3)), lambda x: torch.mean(x, dim=[-2, -1])),
        (
            lambda x: x.transpose(2, 3),
            lambda x: x.permute(0, 1, 3, 2),
            lambda x: torch.permute(x, (0, 1, 3, 2)),
            lambda x: x.mT,
        ),
        (lambda x: x + x.relu(), lambda x: torch.add(x.relu(), x), lambda x: x.relu().add_(x)),
        (lambda x: x * 2, lambda x: 2.0 * x, lambda x: torch.mul(x, 2)),
        (lambda x: x == x.relu(), lambda x: x.relu() == x, lambda x: torch.eq(x, x.relu())),
        (lambda x: x == 1, lambda x: x.eq(1)),
        (lambda x: x // 2, lambda x: torch.floor_divide(x, 2)),
        (lambda x: x - x.relu(), lambda x: torch.sub(x, x.relu())),
        (lambda x: x[:, 0], lambda x: x[:, 0, :], lambda x: x[:, 0, ...]),
        (lambda x: x.chunk(2, 1)[1], lambda x: x.split([2, 2], dim=-3)[1]),
        (lambda x: torch.cat([x, x.relu()], 1), lambda x: torch.concat((x, x.relu()), dim=-3)),
        (lambda x: x != 1, lambda x: torch.not_equal(x, 1)),
        (lambda x: x >= 1, lambda x: torch.greater_equal(x, 1)),
        (lambda x: x <= 1, lambda x: torch.less_equal(x, 1)),
        (lambda x: -x, lambda x: torch.negative(x)),
        (abs, lambda x: torch.absolute(x)),
        (lambda x: ~(x > 0), lambda x: torch.bitwise_not(x > 0), lambda x: (x > 0).logical_not()),
        (lambda x: 1 / x, lambda x: x.reciprocal(), lambda x: torch.div(1, x), lambda x: x**-1),
        (lambda x: 1 - x, lambda x: torch.rsub(x, 1), lambda x: torch.sub(1, x)),
        (lambda x: x**2, lambda x: x.square(), lambda x: torch.pow(x, 2.0)),
        (lambda x: x.mean((2, 3)), lambda x: x.mean((3, 2)), lambda x: x.mean((-1, -2))),
        (lambda x: x.sum(), lambda x: x.sum((0, 1, 2, 3))),
        (lambda x: x.mean((2, 3), keepdim=True), nn.AdaptiveAvgPool2d(1)),
        (lambda x: x.var(1, unbiased=False), lambda x: torch.var(x, dim=-3, correction=0)),
        (lambda x: x.amax(1), lambda x: x.max(1)[0], lambda x: torch.max(x, dim=-3).values),
        (lambda x: torch.maximum(x, x.tanh()), lambda x: torch.max(x, x.tanh())),
        (lambda x: x.clamp(min=0.5), lambda x: x.clamp_min(0.5)),
        (lambda x: x[:, 1:3], lambda x: x.narrow(1, 1, 2), lambda x: x[..., 1:-1, :, :]),
        (lambda x: x[:, -1], lambda x: x[:, 3], lambda x: x.select(1, 3)),
        (lambda x: x[:, [2, 0]], lambda x: x.index_select(1, torch.tensor([2, 0]))),
        (lambda x: x[:, None], lambda x: x.unsqueeze(1)),
        (lambda x: x.movedim(1, 3), lambda x: x.permute(0, 2, 3, 1)),
        (
            lambda x: x.masked_fill(x > 0, 2.0),
            lambda x: torch.where(x > 0, 2.0, x),
            lambda x: x.masked_fill(value=2.0, mask=x > 0),
        ),
        (lambda x: x[:, 0, 1:3], lambda x: x[:, 0][:, 1:3], lambda x: x[:, -4, 1:-5, :]),
        (lambda x: x[:, 0:4], lambda x: x[...], lambda x: x),
        (lambda x: x.reshape(2, 128).reshape(4, 64), lambda x: x.view(4, 64)),
        (lambda x: x.reshape(1, 256).reshape(1, 4, 8, 8), lambda x: x),
        (lambda x: x.repeat(1, 2, 1, 1), lambda x: x.tile((1, 2, 1, 1))),
        (lambda x: torch.div(x, 2, rounding_mode="floor"), lambda x: x // 2),
        (lambda x: _set(x, (0, slice(1, 3))), lambda x: _set(x, (-1, slice(-3, 3), ...))),
        (
            lambda x: functional.interpolate(x, scale_factor=1.3, recompute_scale_factor=True),
            lambda x: functional.interpolate(x, size=(10, 10)),
        ),
        (lambda x: x * x.sigmoid(), nn.SiLU()),
        (lambda x: x * 1 + 0, lambda x: x),
        (
            lambda x: x.chunk(2, 1)[0] + x.tanh().chunk(2, 1)[1],
            lambda x: x.tanh().chunk(2, 1)[1] + x.chunk(2, 1)[0],
        ),
        (
            lambda x: torch.where(x > 0, x.tanh(), x),
            lambda x: torch.where(other=x, input=x.tanh(), condition=x > 0),
        ),
        (lambda x: x.narrow(1, -2, 2), lambda x: x[:, 2:]),
        (nn.Dropout2d(0.3), nn.AlphaDropout(0.3), nn.FeatureAlphaDropout(0.3), nn.Identity()),
        (lambda x: x.tanh().to(x.sigmoid()), lambda x: x.tanh()),
        (nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding="same")),
        (nn.AvgPool2d(2), nn.AvgPool2d(2, count_include_pad=False)),
        (lambda x: functional.pad(x, (1, 2)), lambda x: functional.pad(x, (1, 2, 0, 0), value=0.0)),
        (lambda x: x + torch.arange(8), lambda x: x + torch.arange(7, -1, -1).flip(0)),
    ],
)
def test_one_function_in_all_forms_has_one_hash(modules: tuple[Any, ...]) -> None:
    assert len(_hashes(modules, IMAGES)) == 1


STEPS: list[Callable[[Tensor], Tensor]] = [
    functional.relu,
    lambda x: torch.relu_(x.clone()),
    functional.elu,
    lambda x: functional.elu(x, 0.5),
    lambda x: x.softmax(1),
    lambda x: functional.softmax(x, 2),
    lambda x: x.transpose(1, 2),
    lambda x: x.flip(1),
    lambda x: x.roll(1, 2),
    lambda x: x * 2,
    lambda x: x + x,
    lambda x: 1 - x,
    lambda x: x - 1,
    lambda x: torch.add(x, x.flip(2), alpha=0.5),
    lambda x: torch.add(x.flip(2), x, alpha=0.5),
    lambda x: x.sort(1)[0],
    lambda x: x.sort(1)[1].float(),
    lambda x: x.cumsum(2),
    lambda x: x[:, :1] + 0 * x,
    lambda x: x[:, 1:2] + 0 * x,
    lambda x: torch.cat(x.chunk(2, 2)[::-1], 2),
    lambda x: torch.where(x > 0, x, x.abs().sqrt()),
    lambda x: torch.where(x > 0, x.abs().sqrt(), x),
    lambda x: functional.layer_norm(x, (4,)),
    lambda x: functional.layer_norm(x, (4,), eps=0.1),
    lambda x: x @ x.mT,
    lambda x: x.mT @ x,
]


def test_equal_hashes_mean_equal_results() -> None:
    images = torch.randn(1, 4, 4, generator=torch.Generator().manual_seed(0))
    found: dict[str, Tensor] = {}
    for first in STEPS:
        for second in STEPS:

            def both(x: Tensor, one: Any = first, two: Any = second) -> Tensor:
                result: Tensor = two(one(x))
                return result

            result = both(images)
            other = found.setdefault(graph_of(Function(both), images).hash, result)
            torch.testing.assert_close(result, other)
    assert len(found) > (len(STEPS) - 2) ** 2  # two of them are one, some twice are another


def test_random_compositions_have_one_hash_in_programs_of_torch_export() -> None:
    generator = random.Random(0)
    images = torch.randn(1, 4, 4, generator=torch.Generator().manual_seed(0))
    for _ in range(25):
        chosen = generator.choices(STEPS, k=3)
        network = nn.Sequential(*map(Function, chosen))
        program = torch.export.export(network, (images,)).module()
        torch.testing.assert_close(network(images), program(images))
        assert graph_of(network, images).hash == graph_of(program, images).hash


def _permuted(numbers: Tensor) -> nn.Module:
    module = Function(lambda layer, x: x.index_select(1, layer.numbers), nn.Module())
    module.layers[0].register_buffer("numbers", numbers)
    return module


def test_every_number_of_an_index_is_in_the_hash() -> None:
    wide = torch.zeros(1, 128, 2)
    order = torch.arange(128)
    other = order.clone()
    other[[126, 127]] = other[[127, 126]]
    assert len(_hashes((_permuted(order), _permuted(other)), wide)) == 2
    assert len(_hashes((_permuted(order), _permuted(order.int())), wide)) == 1
    literal = Function(lambda x: x.index_select(1, order))
    assert len(_hashes((_permuted(order), literal), wide)) == 1


def test_weights_are_not_in_the_hash() -> None:
    def network(factor: float) -> nn.Module:
        layer = nn.BatchNorm2d(4)
        layer.running_mean.fill_(factor)
        layer.weight.data.fill_(factor)
        layer.register_buffer("table", torch.full((8,), factor))
        return Function(lambda norm, x: norm(x) + norm.table, layer)

    assert len(_hashes((network(1.0), network(2.0)), IMAGES)) == 1


FORMS: list[Any] = [
    nn.Sequential(nn.Conv2d(4, 4, 3, padding=2, dilation=2), nn.ELU(0.5)),
    nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.ELU(0.5)),
    nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.ELU()),
    nn.Sequential(nn.LayerNorm(8), nn.Linear(8, 3), nn.SiLU()),
    nn.Sequential(nn.PixelShuffle(2), nn.Upsample(scale_factor=2, mode="bilinear")),
    nn.Sequential(nn.LeakyReLU(0.2), nn.ZeroPad2d((1, 0, 2, 0)), nn.AdaptiveAvgPool2d(1)),
    lambda x: (x.tanh() - x.relu()).transpose(2, 3),
    lambda x: (x.relu() - x.tanh()).transpose(2, 3),
    lambda x: x.softmax(-1),
    lambda x: x.softmax(1),
    lambda x: x[:, 1] * x[:, 1:3].mean(1),
    lambda x: (1 - x) / (2 / x.exp()),
    lambda x: torch.where(x != 1, x, 0.0).masked_fill(x > 3, 4.0),
    lambda x: x.clamp(min=0) ** 3 + x.norm(dim=1, keepdim=True),
    lambda x: x.index_select(1, torch.tensor([3, 0, 2, 1])),
    lambda x: functional.interpolate(x, scale_factor=1.5)[:, :, 1:5, 0],
    lambda x: functional.interpolate(x, scale_factor=1.3)[:, :, 1:5, 0],
    lambda x: x.reshape(1, 4, 64).reshape(1, 16, 16).softmax(-1),
    lambda x: torch.einsum("abij,abkj->abik", x, x.tanh()),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("form", ["export", "legacy", "dynamo"])
def test_exported_forms_have_the_hash_of_the_module(tmp_path: Path, form: str) -> None:
    if form != "export":
        pytest.importorskip("onnxscript")
    modules = [(m if isinstance(m, nn.Module) else Function(m)).eval() for m in FORMS]
    hashes = []
    for module in modules:
        if form == "export":
            hashes.append(graph_of(torch.export.export(module, (IMAGES,)).module(), IMAGES).hash)
            continue
        path = tmp_path / "net.onnx"
        torch.onnx.export(module, (IMAGES,), path, dynamo=form == "dynamo", verbose=False)
        hashes.append(graph_of_onnx(path).hash)
    assert hashes == [graph_of(module, IMAGES).hash for module in modules]
    assert len(set(hashes)) == len(hashes)


def test_names_and_settings_by_hand() -> None:
    assert function_of("__sub__", "add") == "sub"
    assert function_of("Sub", "add") == function_of("sub_", "add") == "sub"
    assert function_of("Sum", "add") == "add"  # of several tensors
    assert function_of("native_batch_norm", "batch_norm") == "batchnorm"
    assert function_of("unsqueeze", "reshape") == "reshape"
    assert function_of("DequantizeLinear", "cast") == "dequantizelinear"
    assert is_commutative("add")
    assert not is_commutative("where")

    def text(name: str, operation: str, arguments: dict[str, Any], *attributes: str) -> str:
        shape = (1, 4, 6, 6)
        return " ".join(described(name, operation, arguments, (shape, shape), attributes))

    assert text("elu", "elu", {"alpha": 0.5, "inplace": True}) == "elu alpha=0.5"
    assert text("LogSoftmax", "softmax", {"axis": -1}) == "logsoftmax dim=3"
    assert text("conv2d", "conv", {"groups": 2, "dilation": (3, 3)}, "groups") == "conv dilation=3"
