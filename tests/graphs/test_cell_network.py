"""Sizes of networks, also as a file describes them."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from pyg_nas.graphs.cell_network import NetworkSize, UniformWidth
from pyg_nas.testing import small_cells


@pytest.mark.parametrize(
    "claimed",
    [
        {},
        {"stem_channels": 0},
        {"stem_channels": True},
        {"stem_channels": 2**60},
        {"num_stacks": 10**9},
        {"num_stacks": 20},
        {"modules_per_stack": 10**9},
        {"num_labels": 10**9},
        {"image_channels": 2**60},
        {"image_size": [2**60, 32]},
        {"image_size": 32},
        {"stem_stride": 10**12},
        {"depth": 3},
    ],
)
def test_a_size_too_large_to_be_trained_is_not_believed(claimed: dict[str, Any]) -> None:
    size = NetworkSize(16, 3, 5, 10, 3, (32, 48), 2)
    described = {**json.loads(json.dumps(asdict(size))), **claimed}
    assert NetworkSize.from_dict(described) == (None if claimed else size)


@pytest.mark.parametrize("stride", [1, 2, 4, 8])
def test_the_stem_divides_the_image_by_convolution_and_pooling(stride: int) -> None:
    size = NetworkSize(16, 3, 5, image_size=(32, 33), stem_stride=stride)
    halved = (32, 33) if stride == 1 else (16, 17)
    assert size.stem_output == halved
    further = max(1, stride // 2)
    assert size.cell_input == (halved[0] // further, halved[1] // further)


def test_uniform_widths_need_one_channel() -> None:
    cells = small_cells(per_size=2)
    shares = UniformWidth().channel_shares(cells)
    assert shares.sum(axis=1).tolist() == cells.num_vertices.tolist()
    assert set(np.unique(shares)) == {0.0, 1.0}
    assert UniformWidth().least_stem_channels(cells).tolist() == [1] * len(cells)
