"""Parameters of ONNX files against those of the modules that were exported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pyg_nas.spaces.modules import graph_of_onnx
from tests.spaces.modules.onnx_models import write

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
helper = onnx.helper


class _Attention(nn.Module):
    """Four heads of four numbers; rotated or masked where asked for."""

    def __init__(self, forward: Callable[..., torch.Tensor], **tensors: torch.Tensor) -> None:
        super().__init__()
        self.inputs = nn.Linear(16, 48)
        self.attend = forward
        for name, tensor in tensors.items():
            if isinstance(tensor, nn.Parameter):
                self.register_parameter(name, tensor)
            else:
                self.register_buffer(name, tensor)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        query, key, value = self.inputs(x).reshape(2, 7, 3, 4, 4).permute(2, 0, 3, 1, 4).unbind()
        return self.attend(self, query, key, value)


def _scaled(module: nn.Module, query: torch.Tensor, *others: torch.Tensor) -> torch.Tensor:
    return nn.functional.scaled_dot_product_attention(query, *others)


def _causal(module: nn.Module, query: torch.Tensor, *others: torch.Tensor) -> torch.Tensor:
    return nn.functional.scaled_dot_product_attention(query, *others, is_causal=True)


def _masked(
    module: nn.Module, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor
) -> torch.Tensor:
    scores = query @ key.transpose(-2, -1) + torch.full((7, 7), -1e9).triu(1)
    return scores.masked_fill(module.mask == 0, -torch.inf).softmax(-1) @ value


def _rotated(
    module: nn.Module, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor
) -> torch.Tensor:
    angles = torch.outer(torch.arange(7.0), 1 / 10000 ** (torch.arange(4) / 4))
    turn = lambda x: x * angles.cos() + x.roll(2, -1) * angles.sin()  # noqa: E731
    return (turn(query) @ turn(key).transpose(-2, -1)).softmax(-1) @ value


def _with_positions(
    module: nn.Module, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor
) -> torch.Tensor:
    learned = (query @ key.transpose(-2, -1)) * module.scale.exp() + module.bias
    return learned.softmax(-1) @ value


class _Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table, self.head = nn.Embedding(20, 8), nn.Linear(8, 20, bias=False)
        self.head.weight = self.table.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.table(x))


class _Positions(nn.Module):
    """A learned token and learned positions, sines, and an input that buffers normalise."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.rand(1, 1, 16))
        self.positions = nn.Parameter(torch.rand(1, 8, 16))
        self.head = nn.Linear(16, 3)
        self.register_buffer("mean", torch.rand(1, 1, 16))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        sines = torch.arange(8.0)[:, None].mul(torch.arange(16.0)).sin()
        return self.head(torch.cat([self.token, x - self.mean], 1) + self.positions + sines)


class _Steps(nn.Module):
    """A recurrent cell, whose first state is made in the module."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRUCell(16, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        state = x.new_zeros(x.shape[0], 5)
        for step in range(3):
            state = self.cell(x[:, step], state)
        return state


class _Folded(nn.Module):
    """Batch normalisations after products, one without parameters and two that share them."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(
            *(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU()),
            *(nn.Conv2d(4, 6, 3, groups=2), nn.BatchNorm2d(6), nn.ReLU()),
            *(nn.Conv2d(6, 6, 3), nn.BatchNorm2d(6, affine=False), nn.ReLU()),
        )
        self.up = nn.ConvTranspose2d(6, 4, 3, groups=2, bias=False)
        self.linear = nn.Linear(4, 5, bias=False)
        self.after_up, self.after_linear = nn.BatchNorm2d(4), nn.BatchNorm1d(5)
        self.again, self.after_again = nn.Linear(5, 5), nn.BatchNorm1d(5)
        self.after_again.weight = self.after_linear.weight
        for module in self.modules():
            if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
                nn.init.uniform_(module.running_mean)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.after_up(self.up(self.first(x))).mean((2, 3))
        return self.after_again(self.again(self.after_linear(self.linear(x))))


class _Shared(nn.Module):
    """A batch normalisation that is folded into one of two products, named as a normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.batch_norm_conv, self.conv = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 1)
        self.norm = nn.BatchNorm2d(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.conv(self.norm(self.batch_norm_conv(x).relu())))


TOKENS, WORDS, IMAGES = torch.rand(2, 7, 16), torch.zeros(2, 7).long(), torch.rand(1, 3, 8, 8)
MODULES: dict[str, Callable[[], tuple[nn.Module, torch.Tensor]]] = {
    "scaled": lambda: (_Attention(_scaled), TOKENS),
    "causal": lambda: (_Attention(_causal), TOKENS),
    "masked": lambda: (_Attention(_masked, mask=torch.ones(7, 7).tril()), TOKENS),
    "rotated": lambda: (_Attention(_rotated), TOKENS),
    "learned scale": lambda: (
        _Attention(
            _with_positions,
            scale=nn.Parameter(torch.tensor(0.3)),
            bias=nn.Parameter(torch.rand(4, 7, 7)),
        ),
        TOKENS,
    ),
    "decoder": lambda: (nn.TransformerDecoderLayer(16, 4, 32, batch_first=True), TOKENS),
    "positions": lambda: (_Positions(), TOKENS[:1]),
    "tied": lambda: (_Tied(), WORDS),
    "one channel": lambda: (
        nn.Sequential(nn.Conv2d(3, 1, 3), nn.GroupNorm(1, 1), nn.PReLU(), nn.GroupNorm(1, 1)),
        IMAGES,
    ),
    "groups": lambda: (nn.Sequential(nn.Conv2d(3, 8, 1), nn.GroupNorm(4, 8)), IMAGES),
    "batch": lambda: (nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 4, 3)), IMAGES),
    "folded batch": lambda: (_Folded(), IMAGES),
    "shared batch": lambda: (_Shared(), IMAGES),
    "unbatched": lambda: (nn.RNN(16, 5), TOKENS[0]),
    "recurrent": lambda: (nn.LSTM(16, 5, bidirectional=True), TOKENS),
    "steps": lambda: (_Steps(), TOKENS),
}


def _exported(name: str, path: Path, **options: bool) -> tuple[int, int]:
    """Return the parameters of the file and of the module, with weights that all differ."""
    torch.manual_seed(0)
    module, x = MODULES[name]()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.uniform_(0.1, 0.2)
        inputs = (x, x) if name == "decoder" else (x,)
        torch.onnx.export(module.eval(), inputs, path, **options)
    return graph_of_onnx(path).parameters, sum(p.numel() for p in module.parameters())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MODULES)
def test_the_parameters_of_an_exported_module(name: str, tmp_path: Path) -> None:
    found, expected = _exported(name, tmp_path / "n.onnx", verbose=False)
    assert found == expected


# Files of the earlier exporter do not say which tensors are buffers, or copies of a weight. It does
# not export the decoder.
UNKNOWN = {"decoder", "folded batch", "learned scale", "masked", "positions", "tied"}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", sorted({*MODULES} - UNKNOWN))
def test_the_parameters_of_a_traced_and_exported_module(name: str, tmp_path: Path) -> None:
    found, expected = _exported(name, tmp_path / "n.onnx", dynamo=False)
    assert found == expected


def test_kinds_as_earlier_exporters_list_them(tmp_path: Path) -> None:
    weights = {name: np.ones((2, 2), np.float32) for name in ("w", "b", "t")}
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["m"]),
        helper.make_node("Add", ["m", "b"], ["a"]),
        helper.make_node("MatMul", ["a", "t"], ["y"]),
    ]
    path = write(tmp_path / "n.onnx", nodes, weights, {"x": [2, 2]})
    assert graph_of_onnx(path).parameters == 12
    model = onnx.load(path)
    model.graph.metadata_props.add(
        key="pkg.torch.export.ExportedProgram.graph_signature",
        value="ExportGraphSignature(input_specs=["
        "InputSpec(kind=<InputKind.PARAMETER: 2>, arg=TensorArgument(name='p_w'), target='w', "
        "persistent=None), InputSpec(kind=<InputKind.BUFFER: 3>, arg=TensorArgument(name='b_b'), "
        "target='b', persistent=True), InputSpec(kind=<InputKind.USER_INPUT: 1>, "
        "arg=TensorArgument(name='x'), target=None, persistent=None)], output_specs=[])",
    )
    transposed = helper.make_tensor_value_info("t", onnx.TensorProto.FLOAT, [2, 2])
    transposed.metadata_props.add(key="pkg.onnxscript.optimizer.folded_from", value="['w']")
    model.graph.value_info.append(transposed)
    onnx.save(model, path)
    vertices = graph_of_onnx(path).vertices
    assert [vertex.parameters for vertex in vertices] == [0, 4, 0, 0, 0]
    assert vertices[3].weights == 4


def test_weights_that_another_tool_has_transposed(tmp_path: Path) -> None:
    """The optimiser of onnxscript notes of what it computed a constant, but not what is learned."""
    nodes = [
        helper.make_node("Transpose", ["w"], ["t"], perm=[1, 0]),
        helper.make_node("MatMul", ["x", "t"], ["y"]),
    ]
    weights = {"w": np.ones((4, 3), np.float32)}
    path = write(tmp_path / "n.onnx", nodes, weights, {"x": [2, 3]})
    from onnxscript import optimizer

    onnx.save(optimizer.optimize(onnx.load(path)), path)
    graph = graph_of_onnx(path)
    assert graph.operations == ("input", "linear", "output")
    assert graph.parameters == 12


def test_rounded_weights_that_are_buffers(tmp_path: Path) -> None:
    """They count once, also where the exporter has transposed them."""
    weights = {"t": np.ones((4, 3), np.int8), "s": np.array(0.1, np.float32)}
    nodes = [
        helper.make_node("DequantizeLinear", ["t", "s"], ["v"]),
        helper.make_node("MatMul", ["x", "v"], ["y"]),
    ]
    model = onnx.load(write(tmp_path / "n.onnx", nodes, weights, {"x": [2, 4]}))
    model.graph.metadata_props.add(
        key="pkg.torch.export.ExportedProgram.graph_signature", value="w: BUFFER target='w'"
    )
    transposed = helper.make_tensor_value_info("t", onnx.TensorProto.INT8, [4, 3])
    transposed.metadata_props.add(key="pkg.onnxscript.optimizer.folded_from", value="['w']")
    model.graph.value_info.append(transposed)
    onnx.save(model, tmp_path / "n.onnx")
    assert graph_of_onnx(tmp_path / "n.onnx").parameters == 12


@pytest.mark.parametrize("producer", ["pytorch", "another tool"])
def test_weights_of_the_branch_that_is_taken(tmp_path: Path, producer: str) -> None:
    result = helper.make_tensor_value_info("o", onnx.TensorProto.FLOAT, [2, 4])
    branches = {}
    for name, inner in (("then_branch", 4), ("else_branch", 6)):
        first, second = np.ones((3, inner), np.float32), np.ones((inner, 4), np.float32)
        branches[name] = helper.make_graph(
            [
                helper.make_node("MatMul", ["x", "w"], ["h"]),
                helper.make_node("MatMul", ["h", "v"], ["o"]),
            ],
            name,
            [],
            [result],
            [onnx.numpy_helper.from_array(a, n) for n, a in (("w", first), ("v", second))],
        )
    for taken, inner in ((True, 4), (False, 6)):
        nodes = [helper.make_node("If", ["c"], ["y"], **branches)]
        path = write(tmp_path / "n.onnx", nodes, {"c": np.array(taken)}, {"x": [2, 3]})
        model = onnx.load(path)
        model.producer_name = producer
        onnx.save(model, path)
        assert graph_of_onnx(path).parameters == inner * (3 + 4)


def test_rounded_weights_are_parameters_and_their_scales_are_not(tmp_path: Path) -> None:
    weights = {"w": np.ones((4, 3), np.int8), "s": np.array(0.1, np.float32)}
    weights["z"] = np.array(0, np.int8)
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["a"]),
        helper.make_node("QLinearMatMul", [*"aszw", "s", "z", "s", "z"], ["b"]),
        helper.make_node("DequantizeLinear", ["b", "s", "z"], ["c"]),
        helper.make_node("DequantizeLinear", ["w", "s", "z"], ["v"]),  # the same weight
        helper.make_node("Gemm", ["c", "v"], ["y"], transB=1),
    ]
    graph = graph_of_onnx(write(tmp_path / "net.onnx", nodes, weights, {"x": [2, 4]}))
    assert graph.operations == ("input", "cast", "matmul", "cast", "cast", "linear", "output")
    assert graph.parameters == 12
    assert graph.macs == 2 * 4 * 3 + 2 * 3 * 4


def test_weights_of_four_bits(tmp_path: Path) -> None:
    """Of 64 x 16 numbers, two in a byte, in blocks with a scale each, as onnxruntime has them."""
    weights = {"w": np.zeros((16, 2, 16), np.uint8), "s": np.zeros(32, np.float32)}
    weights["b"] = np.zeros(16, np.float32)
    sizes = {"K": 64, "N": 16, "bits": 4, "block_size": 32}
    nodes = [
        helper.make_node(
            "MatMulNBits", ["x", "w", "s", "", "", "b"], ["y"], domain="com.microsoft", **sizes
        )
    ]
    path = write(tmp_path / "n.onnx", nodes, weights, {"x": [3, 64], "y": [3, 16]})
    model = onnx.load(path)
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    onnx.save(model, path)
    graph = graph_of_onnx(path)
    assert graph.operations == ("input", "linear", "output")
    assert graph.parameters == 64 * 16 + 16
    assert graph.macs == 3 * 64 * 16


@pytest.mark.parametrize("order", [1, -1])
def test_a_parameter_that_is_also_a_setting_counts(order: int, tmp_path: Path) -> None:
    """An exporter stores equal tensors once: here the factor is also a variance."""
    nodes = [
        helper.make_node("BatchNormalization", ["x", *"oozo"], ["a"]),
        helper.make_node("BatchNormalization", ["x", *"ffzo"], ["b"]),
        helper.make_node("BatchNormalization", ["x", *"fgof"], ["c"]),
    ][::order]
    nodes.append(helper.make_node("Sum", ["a", "b", "c"], ["y"]))
    weights = {name: np.full(4, i, np.float32) for i, name in enumerate("zofg")}
    graph = graph_of_onnx(write(tmp_path / "n.onnx", nodes, weights, {"x": [2, 4]}))
    assert graph.parameters == 3 * 4


def test_selected_first_states_are_no_parameters(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Slice", ["states", "zero", "one"], ["first"]),
        helper.make_node("GRU", ["x", "w", "r", "", "", "first"], ["", "y"], hidden_size=3),
    ]
    weights = {
        "states": np.zeros((2, 1, 3), np.float32),
        "zero": np.array([0]),
        "one": np.array([1]),
        "w": np.zeros((1, 9, 4), np.float32),
        "r": np.zeros((1, 9, 3), np.float32),
    }
    graph = graph_of_onnx(write(tmp_path / "n.onnx", nodes, weights, {"x": [5, 1, 4]}))
    assert graph.parameters == 9 * 4 + 9 * 3
    # What is also multiplied is learned.
    used = [*nodes[:1], helper.make_node("Mul", ["first", "first"], ["twice"]), nodes[1]]
    used += [helper.make_node("Add", ["h", "twice"], ["y"])]
    used[2] = helper.make_node("GRU", ["x", "w", "r", "", "", "first"], ["", "h"], hidden_size=3)
    graph = graph_of_onnx(write(tmp_path / "n.onnx", used, weights, {"x": [5, 1, 4]}))
    assert graph.parameters == 9 * 4 + 9 * 3 + 2 * 3
