"""Reading of ONNX files: broken ones, expanded functions and undetermined sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyg_nas.errors import NetworkError
from pyg_nas.spaces.modules import graph_of_onnx
from pyg_nas.spaces.modules.onnx_model import read_model
from tests.spaces.modules.onnx_models import small_model, write

onnx = pytest.importorskip("onnx")
helper = onnx.helper


def test_files_that_are_no_networks(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match="no such file"):
        read_model(tmp_path / "missing.onnx")
    with pytest.raises(NetworkError, match="is a folder"):
        read_model(tmp_path)
    for content in (b"", b"\x00\xff" * 40, b"PK\x03\x04 a zip file"):
        (tmp_path / "bad.onnx").write_bytes(content)
        with pytest.raises(NetworkError, match=r"bad\.onnx: (cannot be read|the graph has no)"):
            read_model(tmp_path / "bad.onnx")


def _call_functions(model: onnx.ModelProto, count: int, last: str) -> None:
    """Add functions, each of which calls the next one twice, and the last one ``last``."""
    versions = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
    for number in range(count):
        name = f"F{number + 1}" if number < count - 1 else last
        domain = "own" if name.startswith("F") else ""
        calls = [helper.make_node(name, [a], [b], domain=domain) for a, b in ("xt", "ty")]
        function = helper.make_function("own", f"F{number}", ["x"], ["y"], calls, versions)
        model.functions.append(function)
    model.opset_import.append(versions[1])
    model.graph.node[0].CopyFrom(helper.make_node("F0", ["x"], ["y"], domain="own"))


def _range(model: onnx.ModelProto, stop: int | list[int], step: int = 1) -> None:
    for name, value in (("from", 0), ("to", stop), ("by", step)):
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(value), name))
    model.graph.node.insert(0, helper.make_node("Range", ["from", "to", "by"], ["r"]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda model: _range(model, 2**40), r"Range \(''\): a range from 0 to 1.09951e.12"),
        (lambda model: _range(model, -(2**40), -1000), "at most 1,000,000 numbers"),
        (lambda model: _range(model, 5, 0), "in steps of 0"),
        (lambda model: _range(model, [5, 6]), "must be one number each"),
        (lambda model: _call_functions(model, 2, "F0"), "a function of the file calls itself"),
        (lambda model: _call_functions(model, 40, "Relu"), "operators, at most 100,000"),
    ],
)
def test_a_model_that_would_need_much_memory_is_refused(
    tmp_path: Path, change: Any, message: str
) -> None:
    model = small_model()
    change(model)
    onnx.save(model, tmp_path / "a.onnx")
    with pytest.raises(NetworkError, match=message):
        read_model(tmp_path / "a.onnx")


def test_a_file_that_claims_200_gigabytes_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a.onnx").open("wb") as file:
        file.truncate(200 * 2**30)
    with pytest.raises(NetworkError, match="larger than 2,147,483,648 bytes"):
        read_model(tmp_path / "a.onnx")


def test_a_negative_size_is_not_determined(tmp_path: Path) -> None:
    model = small_model()
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = -1
    onnx.save(model, tmp_path / "a.onnx")
    assert [v.shape for v in graph_of_onnx(tmp_path / "a.onnx").vertices] == [(1, 4)] * 3


def test_sizes_of_one_name_are_one_number(tmp_path: Path) -> None:
    weights = {"flat": np.array([0, -1]), "w": np.zeros((8, 3), np.float32)}
    nodes = [
        helper.make_node("Reshape", ["x", "flat"], ["a"]),
        helper.make_node("MatMul", ["a", "w"], ["y"]),
    ]
    shapes = {"x": ["batch", 4, 2], "y": ["batch", 3]}
    graph = graph_of_onnx(write(tmp_path / "net.onnx", nodes, weights, shapes))
    assert [v.shape for v in graph.vertices] == [(1, 4, 2), (1, 8), (1, 3), (1, 3)]
    assert graph.macs == 8 * 3
