"""Propagation of signals against NumPy and PyTorch's own layers, and cells that stop them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from pyg_nas.errors import MeasureError
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.registry import find_space
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.measure.propagation import BATCH_SIZE, PROPERTIES, propagation
from pyg_nas.spaces.edge_cells.network import EdgeCellModule
from pyg_nas.spaces.nasbench201.network import NASBench201Network, ReductionBlock

NASBENCH201 = find_space("nasbench201").support


def test_numbers_are_those_of_numpy() -> None:
    text = "|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_1x1~1|none~2|"
    cell = NASBENCH201.from_text(text)
    generator = torch.Generator().manual_seed(5)
    network = NASBENCH201.official_network.build(cell, NASBENCH201.official_network.size)
    assert isinstance(network, NASBench201Network)
    network.initialize([generator])
    images = torch.randn(BATCH_SIZE, 3, 32, 32, generator=generator)
    states = images[None].permute(1, 3, 4, 0, 2)
    entropies, stabilities = [], []
    for layer in network.layers:
        is_block = isinstance(layer, EdgeCellModule | ReductionBlock)
        if is_block and not entropies:
            entropies.append(_entropy(states))
        start = states.detach().requires_grad_()
        states = layer(start)
        if is_block:
            entropies.append(_entropy(states))
            signs = torch.randint(0, 2, states.shape, generator=generator) * 2.0 - 1
            (gradient,) = torch.autograd.grad((states * signs).sum(), start)
            image = gradient[..., 0, :].permute(0, 3, 1, 2)
            image = functional.pixel_unshuffle(image, image.shape[2] // states.shape[1])
            rows = image.permute(0, 2, 3, 1).flatten(0, 2).double().numpy()
            covariance = rows.T @ signs.flatten(0, 3).double().numpy() / len(rows)
            norm = np.linalg.svd(covariance, compute_uv=False)[0]
            stabilities.append(2 - norm - 1 / norm)
    assert len(entropies) == 1 + 3 * 5 + 2
    expected = sum(entropies), np.diff(entropies).min(), np.mean(stabilities)
    np.testing.assert_allclose(propagation(cell, 5), expected, rtol=1e-4)


def _entropy(states: torch.Tensor) -> float:
    rows = states.detach().flatten(0, 3).double().numpy()
    shares = np.linalg.eigvalsh(np.cov(rows.T))
    shares = shares[shares > 0] / shares[shares > 0].sum()
    return float(-(shares * np.log(shares)).sum())


def test_cells_that_stop_or_copy_gradients() -> None:
    def numbers(operation: str) -> dict[str, float]:
        edges = "|x~0|+|x~0|x~1|+|x~0|x~1|x~2|".replace("x", operation)
        found = propagation(NASBENCH201.from_text(edges), 0)
        return dict(zip(PROPERTIES, found, strict=True))

    assert numbers("none")["trainability"] == -np.inf
    only_skip = propagation(
        NASBENCH201.from_text("|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"), 0
    )
    assert only_skip[2] == -np.inf
    assert -1 < numbers("nor_conv_3x3")["trainability"] < 0


def test_spaces_without_networks_are_refused() -> None:
    foreign = Cell([[0, 1], [0, 0]], ["a", "a"], SearchSpace("plain", ("a",), 3, 3))
    with pytest.raises(MeasureError, match="space 'plain' have no network of official size"):
        propagation(foreign, 0)
