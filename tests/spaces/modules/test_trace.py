"""Graphs of modules against parameter counts, torch's own flop counter and graphs by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from pyg_nas.errors import NetworkError
from pyg_nas.spaces.modules import NetworkGraph, graph_of
from pyg_nas.spaces.modules.vocabulary import OPERATIONS, TERMINALS
from tests.spaces.modules.torch_modules import IMAGES, Block, Function


class Branches(nn.Module):
    """Two branches that may be computed in either order."""

    def __init__(self, *, late: bool = False) -> None:
        super().__init__()
        self.left = nn.Conv2d(4, 4, 3, padding=1)
        self.right = nn.Conv2d(4, 4, 1)
        self.late = late

    def forward(self, x: Tensor) -> Tensor:
        if self.late:
            right = self.right(x).sigmoid()
            left = self.left(x).tanh()
        else:
            left = self.left(x).tanh()
            right = self.right(x).sigmoid()
        return left - right


def test_a_block_by_hand() -> None:
    graph = graph_of(Block(), IMAGES)
    assert graph.operations == ("input", "conv", "batch_norm", "relu", "conv", "add", "output")
    assert graph.edge_index.T.tolist() == [[0, 1], [1, 2], [2, 3], [3, 4], [0, 5], [4, 5], [5, 6]]
    first, second = graph.vertices[1], graph.vertices[4]
    assert (first.kernel, first.stride, first.groups) == ((3, 3), (1, 1), 2)
    assert first.shape == (2, 8, 6, 6)
    assert first.dtype == "float32"
    assert first.parameters == 8 * 2 * 9 + 8
    assert first.macs == 2 * 36 * 8 * 2 * 9
    assert first.bytes_read == 4 * (2 * 4 * 36 + 8 * 2 * 9 + 8)
    assert first.bytes_written == 4 * 2 * 8 * 36
    assert second.macs == 2 * 36 * 4 * 8
    assert "first:conv2d" in first.name


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.qkv = nn.Linear(8, 24)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(x, x, x)[0]
        q, k, v = self.qkv(x).view(2, 5, 3, 2, 4).permute(2, 0, 3, 1, 4).unbind(0)
        y = functional.scaled_dot_product_attention(q, k, v)
        return x + y.transpose(1, 2).reshape(2, 5, 8)


NETWORKS = {
    "block": (Block(), IMAGES),
    "attention": (Attention(), torch.zeros(2, 5, 8)),
    "transformer": (nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), torch.zeros(2, 5, 8)),
    "transposed": (nn.ConvTranspose2d(4, 6, 3, stride=2, groups=2), IMAGES),
    "volumes": (nn.Conv3d(2, 3, (1, 3, 3)), torch.zeros(1, 2, 4, 6, 6)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_parameters_and_macs_are_torch_s(name: str) -> None:
    module, *inputs = NETWORKS[name]
    module.eval()
    graph = graph_of(module, *inputs)
    assert graph.parameters == sum(parameter.numel() for parameter in module.parameters())
    # Gradients are on, so that transformers take the road that the counter knows.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        module(*inputs)
    assert graph.macs == counter.get_total_flops() // 2 > 0


def test_flexible_attention_is_one_vertex() -> None:
    flex = pytest.importorskip("torch.nn.attention.flex_attention")
    if not hasattr(flex, "_FLEX_ATTENTION_DISABLE_COMPILE_DEBUG"):
        pytest.skip("this version of PyTorch has no uncompiled one")

    def causal(batch: Any, head: Any, query: Any, key: Any) -> Any:
        return query >= key

    def attend(x: Tensor) -> Tensor:
        mask = flex.create_block_mask(causal, None, None, 16, 16, device="cpu")
        result: Tensor = flex.flex_attention(x, x, x, block_mask=mask)
        return result

    graph = graph_of(Function(attend), torch.zeros(1, 2, 16, 8))
    assert graph.operations == ("input", "attention", "output")
    assert (graph.macs, graph.vertices[1].heads) == (2 * 2 * 16 * 16 * 8, 2)
    plain = graph_of(Function(lambda x: flex.flex_attention(x, x, x)), torch.zeros(1, 2, 16, 8))
    assert plain.hash != graph.hash
    assert not flex._FLEX_ATTENTION_DISABLE_COMPILE_DEBUG


def test_the_hash_does_not_depend_on_names_or_order() -> None:
    plain = graph_of(Block(), IMAGES)
    assert graph_of(Block(), IMAGES).hash == plain.hash
    assert graph_of(Block(swapped=True), IMAGES).hash == plain.hash
    renamed = Block()
    renamed.other, renamed.forward = renamed.second, renamed.forward
    assert graph_of(renamed, IMAGES).hash == plain.hash
    assert graph_of(Branches(), IMAGES).hash == graph_of(Branches(late=True), IMAGES).hash


def test_the_hash_distinguishes_networks() -> None:
    hashes = {
        graph_of(module, images).hash
        for module, images in (
            (Block(), IMAGES),
            (Block(kernel_size=5), IMAGES),
            (Block(), IMAGES[:, :, :4]),
            (Branches(), IMAGES),
            (nn.Sequential(Block(), Block()), IMAGES),
        )
    }
    assert len(hashes) == 5


class Difference(nn.Module):
    def __init__(self, *, swapped: bool) -> None:
        super().__init__()
        self.swapped = swapped

    def forward(self, x: Tensor) -> Tensor:
        a, b = x.tanh(), x.sigmoid()
        return torch.matmul(b, a) if self.swapped else torch.matmul(a, b)


def test_the_order_of_factors_matters() -> None:
    x = torch.zeros(3, 3)
    hashes = {graph_of(Difference(swapped=s), x).hash for s in (False, True)}
    assert len(hashes) == 2


class Loop(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x: Tensor, *, times: int) -> Tensor:
        for _ in range(times):
            x = self.layer(x)
            if x.shape[0] > 1:
                x = x.relu()
        return x


def test_control_flow_on_shapes_is_followed() -> None:
    graph = graph_of(Loop(), torch.zeros(2, 4), times=3)
    assert graph.operations.count("linear") == graph.operations.count("relu") == 3
    assert graph_of(Loop(), torch.zeros(1, 4), times=3).operations.count("relu") == 0


class OnValues(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Identity()
        self.inner.forward = lambda x: x * 2 if x.sum() > 0 else x

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x)


def test_control_flow_on_values_is_one_error() -> None:
    with pytest.raises(NetworkError, match=r"^inner: operation .* depends on the values"):
        graph_of(OnValues(), IMAGES)


@pytest.mark.parametrize("found", [3, nn.ReLU, lambda x: x])
def test_something_that_is_no_module(found: object) -> None:
    with pytest.raises(NetworkError, match=r"must be a torch\.nn\.Module, got"):
        graph_of(found, IMAGES)


def test_a_constant_is_no_network() -> None:
    with pytest.raises(NetworkError, match="the output depends on no input and no parameter"):
        graph_of(Function(lambda x: torch.ones(3)), IMAGES)


def test_a_module_without_memory_has_the_same_graph() -> None:
    with torch.device("meta"):
        module = Block()
    graph = graph_of(module, torch.empty(IMAGES.shape, device="meta"))
    assert graph.hash == graph_of(Block(), IMAGES).hash
    assert graph == graph_of(Block(), IMAGES)


def test_half_precision_is_another_network_of_half_the_bytes() -> None:
    half, full = (graph_of(Block().to(t), IMAGES.to(t)) for t in (torch.half, torch.float))
    assert half.hash != full.hash
    assert 2 * half.vertices[1].bytes_read == full.vertices[1].bytes_read


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_torchscript_of_a_whole_network_has_its_windows() -> None:
    layers = nn.Sequential(
        nn.Conv2d(4, 8, 3, 2, groups=2),
        nn.ConvTranspose2d(8, 4, 2, groups=4),
        nn.GroupNorm(2, 4),
        nn.Unflatten(1, (1, 4)),
        nn.MaxPool3d(2),
    )
    plain = graph_of(layers, IMAGES)
    for script in (torch.jit.script(layers), torch.jit.trace(layers, IMAGES)):
        graph = graph_of(script, IMAGES)
        assert graph.hash == plain.hash
        assert (graph.parameters, graph.macs) == (plain.parameters, plain.macs)


class Layers(nn.Sequential):
    """Layers with the same arguments in a module and in a program of torch.export."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(4, 6, 3, 2),
            nn.BatchNorm2d(6),
            nn.Hardswish(),
            nn.Upsample(scale_factor=2),
            nn.ReflectionPad2d(1),
            nn.LayerNorm(8),
            nn.Flatten(),
            nn.LazyLinear(3),
        )


def test_exported_programs_have_the_graph_of_their_module() -> None:
    layers, images = Layers().eval(), torch.zeros(2, 4, 8, 8)
    layers(images)
    plain = graph_of(layers, images)
    exported = torch.export.export(layers, (images,))
    assert graph_of(exported.module(), images).hash == plain.hash
    lower = graph_of(exported.run_decompositions().module(), images)
    assert (lower.parameters, lower.macs) == (plain.parameters, plain.macs)
    assert set(lower.operations) <= set(OPERATIONS + TERMINALS)


def test_a_deep_network_is_a_graph() -> None:
    module = nn.Sequential(*[nn.Tanh() for _ in range(3000)])
    graph = graph_of(module, torch.zeros(1))
    assert len(graph) == 3002
    assert isinstance(graph, NetworkGraph)
