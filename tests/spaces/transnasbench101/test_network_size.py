"""Sizes against built networks and the published counts."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from pyg_nas.graphs.cell_network import NetworkSize
from pyg_nas.spaces.transnasbench101.network import TransNASNetwork
from pyg_nas.spaces.transnasbench101.support import SUPPORT
from tests.conftest import shared_file

SIZES = (
    NetworkSize(4, 1, 1, num_labels=3, image_size=(9, 14)),
    NetworkSize(6, 3, 2, num_labels=5, image_channels=1, image_size=(32, 32)),
)


@pytest.mark.parametrize("operations", [[3, 2, 1, 1, 3, 2], [0, 0, 0, 1, 0, 0], [0] * 6])
@pytest.mark.parametrize("size", SIZES)
def test_sizes_are_those_of_the_built_network(operations: list[int], size: NetworkSize) -> None:
    network = TransNASNetwork(operations, size)
    network.initialize([torch.Generator().manual_seed(0)])
    network.eval()
    rows = np.array([operations])
    parameters = sum(parameter.numel() for parameter in network.parameters())
    counted, macs = SUPPORT.network.sizes(rows, size)
    assert counted.tolist() == [parameters]
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        logits = network(torch.randn(1, 2, size.image_channels, *size.image_size))
    assert logits.shape == (1, 2, size.num_labels)
    assert macs.tolist() == [counter.get_total_flops() // 4]


def test_parameters_are_the_published_ones() -> None:
    with h5py.File(shared_file("transnasbench101.hdf5")) as file:
        operations = file["operations"][:]
        columns = file["naslib_zero_cost"].attrs["columns"].tolist()
        published = file["naslib_zero_cost"][:, columns.index("params")]
    known = ~np.isnan(published)
    assert known.sum() > 1_000
    millions = SUPPORT.network.sizes(operations[known])[0] / 1e6
    assert np.abs(millions - published[known]).max() < 1e-5
