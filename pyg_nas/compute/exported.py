"""Programs of ``torch.export`` as files: ``.pt2``, which needs torch alone, and ONNX."""

from __future__ import annotations

import io
import logging
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.errors import ModelError, SettingsError, needs_extra

if TYPE_CHECKING:
    from torch.export import ExportedProgram

_ONNX_NEEDS = ("onnx", "onnxruntime", "onnxscript")  # torch's exporter needs the last
ONNX, PROGRAM = ".onnx", ".pt2"


def check_program_format(path: str | os.PathLike[str]) -> str:
    """Return the ending of an exported program's file.

    Raises:
        SettingsError: If it is not ``.onnx`` or ``.pt2``, or a package that ONNX needs is missing.
    """
    ending = Path(path).suffix
    if ending not in (ONNX, PROGRAM):
        raise SettingsError(f"{Path(path).name!r} must end in {ONNX} or {PROGRAM}")
    missing = [name for name in _ONNX_NEEDS if find_spec(name) is None] if ending == ONNX else []
    if missing:
        raise _lacks(missing[0])
    return ending


def _lacks(package: str | None) -> SettingsError:
    return SettingsError(needs_extra(f"ONNX needs the package {package}", "export"))


@contextmanager
def quiet_exporter() -> Iterator[None]:
    """Suppress messages of torch's exporter about itself and about packages that are not needed."""
    logger = logging.getLogger("torch.onnx._internal.exporter")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def check_onnx(needed: Sequence[str] = _ONNX_NEEDS) -> None:
    """Check that packages for ONNX files are there, by default those that write and run them.

    Raises:
        SettingsError: If a package is missing.
    """
    try:
        for name in needed:
            import_module(name)
    except ImportError as error:
        raise _lacks(error.name) from None


def pt2_bytes(program: ExportedProgram) -> bytes:
    """Return the content of a ``.pt2`` file for ``torch.export.load``."""
    import torch

    content = io.BytesIO()
    torch.export.save(program, content)
    return content.getvalue()


def onnx_bytes(
    program: ExportedProgram,
    inputs: Sequence[str],
    output: str,
    axes: Sequence[Mapping[int, str]],
    properties: Mapping[str, str],
) -> bytes:
    """Return the content of an ``.onnx`` file.

    Args:
        program: A program with one output.
        inputs: Names of the inputs.
        output: Name of the output.
        axes: For each input the names of its axes of any size.
        properties: Metadata of the file.

    Raises:
        SettingsError: If a package is missing.
        ModelError: If torch does not export the program.
    """
    check_onnx()
    import onnx
    import torch

    with quiet_exporter():
        exported = torch.onnx.export(
            program,
            dynamo=True,
            input_names=list(inputs),
            output_names=[output],
            dynamic_shapes=tuple(map(dict, axes)),
            verbose=False,
        )
    if exported is None:
        raise ModelError("torch did not export the model to ONNX")
    proto = exported.model_proto
    onnx.helper.set_model_props(proto, dict(properties))
    content: bytes = proto.SerializeToString()
    return content


def run_onnx(content: bytes, inputs: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
    """Return the one output of an ``.onnx`` file's content in ONNX Runtime on the processor."""
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (output,) = session.run(None, dict(inputs))
    return np.asarray(output)
