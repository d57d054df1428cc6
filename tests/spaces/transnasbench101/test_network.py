"""The network of a TransNAS-Bench-101 architecture."""

from __future__ import annotations

import torch
from torch.nn import functional

from pyg_nas.graphs.cell_network import NetworkSize
from pyg_nas.spaces.transnasbench101.network import TransNASNetwork

SIZE = NetworkSize(4, 2, 2, num_labels=3, image_size=(16, 16))


def test_a_network_of_identities_by_hand() -> None:
    """Edge 0-3 alone, skipping: reductions where the image is halved, and nothing else."""
    network = TransNASNetwork([0, 0, 0, 1, 0, 0], SIZE)
    generator = torch.Generator().manual_seed(0)
    network.initialize([generator])
    network.eval()
    images = torch.randn(2, 3, 16, 16, generator=generator)
    stem, _, second, *cells = network.layers
    scale = (1 + 1e-5) ** -0.5  # of batch normalisation before any training
    x = functional.conv2d(images, stem.weight, stride=2, padding=1) * scale
    x = functional.conv2d(x.relu(), second[1].weight, stride=2, padding=1) * scale
    for cell in cells:
        if cell.stride == 2:
            reduction = cell.operations[3]
            x = x.relu()
            even = functional.conv2d(x[:, :, ::2, ::2], reduction.even.weight)
            odd = functional.conv2d(x[:, :, 1::2, 1::2], reduction.odd.weight)
            x = torch.cat([even, odd], dim=1) * scale
    logits = x.mean((2, 3)) @ network.dense.weight[0]
    assert [cell.stride for cell in cells] == [2, 1, 1, 1, 2, 1]
    assert torch.allclose(network(images[None])[0], logits, atol=1e-5)


def test_members_are_independent() -> None:
    operations = [3, 2, 1, 1, 3, 2]
    pair = TransNASNetwork(operations, SIZE, members=2)
    pair.initialize([torch.Generator().manual_seed(seed) for seed in (0, 1)])
    alone = TransNASNetwork(operations, SIZE)
    alone.initialize([torch.Generator().manual_seed(1)])
    images = torch.randn(2, 5, 3, 16, 16, generator=torch.Generator().manual_seed(2))
    assert torch.allclose(pair(images)[1], alone(images[1:])[0], atol=1e-5)
