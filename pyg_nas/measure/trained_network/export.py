"""A trained network as ``.pt2`` and ``.onnx``, compared with the network itself."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.export import ExportedProgram

from pyg_nas.compute.exported import check_onnx, onnx_bytes, pt2_bytes, quiet_exporter, run_onnx
from pyg_nas.errors import ModelError, SettingsError, one_line
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.measure.network import ImageNetwork, build_network
from pyg_nas.measure.tasks.task import Part, Task
from pyg_nas.measure.training.accuracy_reader import IMAGES_AT_ONCE
from pyg_nas.spaces.own.network import trial_cells

PT2, ONNX = "network.pt2", "network.onnx"
INPUT, OUTPUT = "images", "logits"
BATCH = {0: "batch"}
"""Axes of the input of any size."""

TOLERANCE = 1e-3
"""Largest difference of a file's logits, relative to the largest logit."""

_CHECKED_IMAGES = 256


def network_logits(network: nn.Module, images: NDArray[np.generic]) -> NDArray[np.float32]:
    """Return the logits ``[N, labels]`` of images ``[N, C, H, W]``, by batches as the trainer."""
    with torch.inference_mode():
        batches = torch.split(torch.from_numpy(images), IMAGES_AT_ONCE)
        return np.concatenate([network(batch.float()).numpy() for batch in batches])


def export_network(
    network: ImageNetwork, part: Part, classes: Sequence[str]
) -> tuple[dict[str, bytes], str | None]:
    """Return the content of the network's files, each checked on images against the network.

    Args:
        network: In evaluation mode, on the processor.
        part: Images that the files are checked on.
        classes: Names of the labels, kept in the ONNX file's metadata as JSON.

    Returns:
        Content by file name, and why there is no ONNX file, or None.

    Raises:
        ModelError: If a file gives other logits or other classes than the network.
    """
    images = part.images[:_CHECKED_IMAGES]
    expected = network_logits(network, images)
    program = _program(network, images.shape[1:])
    files = {PT2: pt2_bytes(program)}
    loaded = torch.export.load(io.BytesIO(files[PT2])).module()
    check_logits(PT2, expected, network_logits(loaded, images))
    try:
        check_onnx()
    except SettingsError as error:
        return files, str(error)
    content = onnx_bytes(program, [INPUT], OUTPUT, [BATCH], {"classes": json.dumps(list(classes))})
    check_logits(ONNX, expected, run_onnx(content, {INPUT: images.astype(np.float32)}))
    return {**files, ONNX: content}, None


def check_exportable(space: SearchSpace, task: Task) -> None:
    """Check that networks with every operation of a user's own space can be exported.

    Raises:
        ModelError: If one cannot.
    """
    for cell in trial_cells(space):
        try:
            _program(build_network(cell, task).eval(), task.train.images.shape[1:])
        except ModelError as error:
            raise ModelError(
                f"space {space.name!r}, network of cell {cell.to_text()}: {error}"
            ) from error


def check_logits(name: str, expected: NDArray[np.float32], found: NDArray[np.float32]) -> None:
    """Check that logits ``[N, labels]`` are equal up to rounding.

    Raises:
        ModelError: If they do not; it names ``name``.
    """
    scale = float(np.abs(expected).max())
    difference = float(np.abs(found - expected).max()) if found.shape == expected.shape else np.inf
    if not difference <= TOLERANCE * scale:
        raise ModelError(
            f"{name}: its logits differ from the network's by {difference:g}, more than "
            f"{TOLERANCE:g} of the largest logit {scale:g}"
        )


def _program(network: ImageNetwork, shape: tuple[int, ...]) -> ExportedProgram:
    example = torch.zeros(2, *shape)
    try:
        with quiet_exporter(), torch.no_grad():
            return torch.export.export(
                network,
                (example,),
                dynamic_shapes=({axis: torch.export.Dim(name) for axis, name in BATCH.items()},),
            )
    except (Exception, SystemExit) as error:  # a user's layers may do anything
        raise ModelError(
            f"torch.export refuses the network, whose steps must not depend on the values "
            f"of images: {one_line(error)}"
        ) from error
