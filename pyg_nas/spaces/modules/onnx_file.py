"""The graph of an ONNX file, computed from operators and shapes without reading weights."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyg_nas.errors import NetworkError
from pyg_nas.spaces.modules.network_graph import NetworkGraph
from pyg_nas.spaces.modules.onnx_model import read_model
from pyg_nas.spaces.modules.onnx_nodes import named
from pyg_nas.spaces.modules.onnx_vertices import OnnxVertices

# Errors of reading fields of an invalid model, except those of onnx's checks.
_MALFORMED = (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError)


def graph_of_onnx(path: str | os.PathLike[str]) -> NetworkGraph:
    """Return the graph of an ONNX file.

    Floating-point constants count as parameters, except single numbers without a dimension, the
    running statistics of batch normalisation, first states of recurrent layers, and settings such
    as the scales of ``Resize``. In the files of PyTorch's exporter only parameters of the module
    count and constants computed from them, each parameter once: no buffers, masks or tables of
    positions. Those of a batch normalisation that it folded into the operator before count. Small
    tensors of equal numbers, such as the normalisations of an untrained network, are one in the
    file, and count once at most. Files of its earlier exporter (``dynamo=False``) do not say which
    initializers are buffers, nor which normalisations are folded: of these the shift counts as a
    bias, and the scale does not. Constants that are operators count in neither. Rounded weights
    count, but not their scales.
    Undetermined sizes of inputs, such as the batch, are 1. Of an ``If`` whose condition is a
    constant the branch is taken. A ``Loop`` without multiply-accumulates and weights is one
    operation. External weights are not read. Indices and masks are, for the hash, if they are in
    a file beside this one.

    Raises:
        NetworkError: If the file cannot be read as ONNX, has other control flow, shapes that
            contradict each other, or a shape that multiply-accumulates are counted from cannot be
            inferred; the message names the operator.
        SettingsError: If the package ``onnx`` is missing.

    Warns:
        UserWarning: If other shapes cannot be inferred. Such a result has the shape ``()`` and no
            bytes. If an operator outside the vocabulary reads a matrix of weights, for example one
            of a runtime's own. No multiply-accumulates of it are counted.
    """
    model, stored = read_model(path)
    try:
        vertices = OnnxVertices(model, stored, Path(path).parent)
        for node in model.graph.node:
            with _naming_malformed(named(node)):
                vertices.add(node)
        graph, notes = vertices.finish(Path(path).name)
    except NetworkError as error:
        raise NetworkError(f"{path}: {error}") from None
    except _MALFORMED as error:
        raise NetworkError(f"{path}: is malformed ({type(error).__name__}: {error})") from None
    for note in notes:
        warnings.warn(f"{path}: {note}", stacklevel=2)
    return graph


@contextmanager
def _naming_malformed(operator: str) -> Iterator[None]:
    """Make an error of reading the fields of an operator name it."""
    try:
        yield
    except NetworkError:
        raise
    except _MALFORMED as error:
        raise NetworkError(f"{operator} is malformed ({type(error).__name__}: {error})") from None
