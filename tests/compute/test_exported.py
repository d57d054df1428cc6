"""Programs as files: what a small program computes, its ONNX file computes."""

from __future__ import annotations

import io
import logging
import sys
import warnings

import numpy as np
import pytest
import torch

from pyg_nas.compute.exported import check_onnx, onnx_bytes, pt2_bytes, quiet_exporter, run_onnx
from pyg_nas.errors import SettingsError


def test_files_compute_what_the_program_does() -> None:
    layer = torch.nn.Linear(3, 2).eval()
    rows = ({0: torch.export.Dim("rows")},)
    program = torch.export.export(layer, (torch.zeros(4, 3),), dynamic_shapes=rows)
    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    loaded = torch.export.load(io.BytesIO(pt2_bytes(program))).module()
    torch.testing.assert_close(loaded(x), layer(x))
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    content = onnx_bytes(program, ["x"], "y", [{0: "rows"}], {"key": "value"})
    with torch.no_grad():
        np.testing.assert_allclose(run_onnx(content, {"x": x.numpy()}), layer(x), atol=1e-6)
    proto = onnx.load_from_string(content)
    for value, size in ((proto.graph.input[0], 3), (proto.graph.output[0], 2)):
        rows_axis, columns_axis = value.type.tensor_type.shape.dim
        assert (rows_axis.dim_param, columns_axis.dim_value) == ("rows", size)
    assert [(entry.key, entry.value) for entry in proto.metadata_props] == [("key", "value")]


@pytest.mark.parametrize("package", ["onnx", "onnxruntime", "onnxscript"])
def test_a_missing_package_is_named(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(SettingsError, match=r"ONNX needs the package \w+: pip install '.\[export"):
        check_onnx()


def test_the_exporter_is_quiet_only_inside(recwarn: pytest.WarningsRecorder) -> None:
    logger = logging.getLogger("torch.onnx._internal.exporter")
    before = logger.level
    with quiet_exporter():
        warnings.warn("not shown", stacklevel=1)
        assert logger.level == logging.ERROR
    assert logger.level == before
    assert not recwarn.list
