"""Sizes against built networks, torch's own counter and the published figures."""

from __future__ import annotations

from dataclasses import replace

import h5py
import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from pyg_nas.graphs.cell_network import NetworkSize
from pyg_nas.spaces.nasbench201.network import NASBench201Network
from pyg_nas.spaces.nasbench201.network_size import OFFICIAL_SIZE
from pyg_nas.spaces.nasbench201.support import SUPPORT
from tests.conftest import shared_file

ARCHITECTURES = ([3, 3, 3, 3, 3, 3], [0, 0, 0, 1, 0, 0], [2, 4, 1, 3, 0, 2])
SIZES = (
    OFFICIAL_SIZE,
    replace(OFFICIAL_SIZE, stem_channels=4, num_stacks=2, modules_per_stack=1, num_labels=7),
    replace(OFFICIAL_SIZE, stem_channels=6, num_stacks=4, modules_per_stack=2, image_channels=1),
)


@pytest.mark.parametrize("operations", ARCHITECTURES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("image_size", [(32, 32), (15, 9)])
def test_sizes_are_those_of_the_built_network(
    operations: list[int], size: NetworkSize, image_size: tuple[int, int]
) -> None:
    network = NASBench201Network(operations, size)
    network.initialize([torch.Generator().manual_seed(0)])
    network.eval()
    rows = np.array([operations])
    parameters = sum(parameter.numel() for parameter in network.parameters())
    counted, macs = SUPPORT.network.sizes(rows, replace(size, image_size=image_size))
    assert counted.tolist() == [parameters]
    images = torch.randn(1, 1, size.image_channels, *image_size)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(images)
    assert macs.tolist() == [counter.get_total_flops() // 2]


def test_sizes_are_the_published_ones() -> None:
    with h5py.File(shared_file("nasbench201.hdf5")) as file:
        operations = file["operations"][:]
        parameters, macs = file["cost/params_cifar10"][:], file["cost/macs_cifar10"][:]
    counted, counted_macs = SUPPORT.network.sizes(operations)
    assert np.array_equal(counted, parameters)
    hundred = SUPPORT.network.sizes(operations, replace(OFFICIAL_SIZE, num_labels=100))[0]
    assert set((hundred - parameters).tolist()) == {5_850}
    assert np.array_equal(counted_macs - 64 * 10, macs)
