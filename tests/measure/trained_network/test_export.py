"""Exported networks: the accuracy that the trainer read, in torch.export and in ONNX Runtime."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pyg_nas.compute.exported import run_onnx
from pyg_nas.errors import ModelError
from pyg_nas.graphs import open_space
from pyg_nas.measure import get_task
from pyg_nas.measure.network import build_network
from pyg_nas.measure.tasks.task import Part, Task
from pyg_nas.measure.trained_network import export as network_export
from pyg_nas.measure.trained_network.export import (
    INPUT,
    ONNX,
    PT2,
    check_exportable,
    check_logits,
    export_network,
    network_logits,
)
from pyg_nas.measure.training.trainer import train_network

from ..conftest import chain

CELL = chain("conv3x3-bn-relu", "maxpool3x3")


def test_both_files_have_the_trainers_accuracy_at_any_batch_size():
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    digits = get_task("digits")
    run, network = train_network(CELL, digits, 3, 0)
    files, missing = export_network(network, digits.test, digits.classes)
    assert missing is None
    assert sorted(files) == [ONNX, PT2]
    loaded = torch.export.load(io.BytesIO(files[PT2])).module()
    images = digits.test.images
    for logits in (
        network_logits(network, images),
        network_logits(loaded, images),
        run_onnx(files[ONNX], {INPUT: images}),
        np.concatenate([run_onnx(files[ONNX], {INPUT: part}) for part in (images[:1], images[1:])]),
    ):
        assert (logits.argmax(1) == digits.test.labels).mean() == run.end.test_accuracy
    assert loaded(torch.zeros(1, 1, 8, 8)).shape == (1, 10)
    proto = onnx.load_from_string(files[ONNX])
    properties = {entry.key: entry.value for entry in proto.metadata_props}
    assert json.loads(properties["classes"]) == [str(digit) for digit in range(10)]


def test_without_onnx_there_is_a_note(tiny_task: Task, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    # Pixels as image files have them.
    pixels = Part((tiny_task.test.images * 40 + 90).clip(0, 255).astype(np.uint8), np.arange(40))
    task = replace(tiny_task, train=replace(pixels, labels=tiny_task.test.labels))
    network = build_network(CELL, task).eval()
    files, missing = export_network(network, pixels, task.classes)
    assert list(files) == [PT2]
    assert missing is not None
    assert "needs the package onnx" in missing
    loaded = torch.export.load(io.BytesIO(files[PT2])).module()
    expected = network(torch.from_numpy(pixels.images))
    torch.testing.assert_close(loaded(torch.from_numpy(pixels.images).float()), expected)


@pytest.mark.parametrize("found", [[[1.0, 2.01]], [[1.0, float("nan")]], [[1.0, 2.0, 3.0]]])
def test_other_logits_are_refused(found):
    expected = np.array([[1.0, 2.0]], dtype=np.float32)
    check_logits("x.onnx", expected, expected + 1e-4)
    with pytest.raises(ModelError, match=r"x.onnx: its logits differ"):
        check_logits("x.onnx", expected, np.array(found, dtype=np.float32))


def test_a_file_that_computes_something_else_is_not_returned(
    tiny_task: Task, monkeypatch: pytest.MonkeyPatch
):
    network = build_network(CELL, tiny_task).eval()
    other = build_network(CELL, tiny_task, seed=1).eval()
    program = network_export._program
    monkeypatch.setattr(network_export, "_program", lambda _, shape: program(other, shape))
    with pytest.raises(ModelError, match=r"network.pt2: its logits differ"):
        export_network(network, tiny_task.test, tiny_task.classes)


def test_a_users_network_that_cannot_be_exported_is_refused_before_it_is_trained(
    space_file: Path, tiny_task: Task
) -> None:
    source = space_file.read_text()
    odd = space_file.with_name("odd_space.py")
    layer = (
        "class Odd(nn.Module):\n    def forward(self, x):\n        return -x if x.sum() > 0 else x"
    )
    source = source.replace(
        "OPERATIONS = {", f'{layer}\n\n\nOPERATIONS = {{\n    "odd": lambda channels: Odd(),'
    )
    odd.write_text(source.replace('"users"', '"odd"'))
    with pytest.raises(
        ModelError,
        match=r"space 'odd', .*odd.*: torch\.export refuses the network, whose steps must not",
    ):
        check_exportable(open_space(f"{odd}:SPACE"), tiny_task)
