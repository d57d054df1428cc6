"""Information of outputs about weights, against gradients of single images and NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import softmax
from scipy.stats import entropy

from pyg_nas.errors import MeasureError
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.registry import find_space
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.measure import weight_information as measured
from pyg_nas.measure.weight_information import (
    BATCH_SIZE,
    logits_and_gradients,
    weight_information,
)
from pyg_nas.spaces.grouped_layers import GroupedBatchNorm, GroupedConv

NASBENCH201 = find_space("nasbench201").support
CELL = NASBENCH201.from_text(
    "|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_1x1~1|none~2|"
)


def _network_and_images(seed: int, cell: Cell = CELL) -> tuple[Any, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    builder = cell.space.support.official_network
    assert builder is not None
    network = builder.build(cell, builder.size)
    network.initialize([generator])
    shape = (BATCH_SIZE, 3, 16, 16)
    return network.requires_grad_(False), torch.randn(shape, generator=generator)


def _of_single_images(network: Any, images: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Return logits and gradients from one backward pass for each image and label."""
    network.requires_grad_(True)
    layers = [m for m in network.modules() if isinstance(m, GroupedConv | GroupedBatchNorm)]
    parameters = [p for layer in layers for p in layer.parameters()]
    parameters += [network.dense.weight, network.dense.bias]
    logits, gradients = [], []
    for image in images:
        found = network(image[None, None])[0, 0]
        logits.append(found.detach().numpy())
        by_label = [torch.autograd.grad(one, parameters, retain_graph=True) for one in found]
        gradients.append([[float(g.flatten()[0]) for g in row] for row in by_label])
    return np.array(logits), np.array(gradients)


@pytest.mark.parametrize("space", ["nasbench201", "nasbench101"])
def test_gradients_are_those_of_single_images(space: str) -> None:
    cell = CELL
    if space == "nasbench101":
        matrix = np.triu(np.ones((4, 4), dtype=int), 1)
        cell = Cell(matrix, ["input", "conv3x3-bn-relu", "maxpool3x3", "output"])
    network, images = _network_and_images(2, cell)
    network, images = network.double(), images[:2].double()
    found = logits_and_gradients(network, images)
    for mine, expected in zip(found, _of_single_images(network, images), strict=True):
        assert mine.shape == expected.shape
        np.testing.assert_allclose(mine.numpy(), expected, rtol=1e-6, atol=1e-9)


def test_numbers_are_those_of_numpy() -> None:
    found = weight_information(CELL, 5)
    network, images = _network_and_images(5)
    logits, gradients = (a.double().numpy() for a in logits_and_gradients(network, images))
    probabilities = softmax(logits, axis=1) * 0.95 + 0.005
    information = np.zeros((gradients.shape[2],) * 2)
    for p, jacobian in zip(probabilities, gradients, strict=True):
        information += jacobian.T @ (np.diag(p) - np.outer(p, p)) @ jacobian / BATCH_SIZE
    eigenvalues = np.linalg.svd(information, compute_uv=False)
    deciles = np.percentile(eigenvalues, range(10, 100, 10))
    np.testing.assert_allclose(found[0], len(information) + entropy(deciles), rtol=1e-6)

    images.requires_grad_()
    network(images[None]).sum().backward()
    assert images.grad is not None
    correlations = np.corrcoef(images.grad.flatten(1).double().numpy())
    values = np.linalg.svd(correlations, compute_uv=False) + 1e-5
    np.testing.assert_allclose(found[1], -np.sum(np.log(values) + 1 / values), rtol=1e-4)


def test_convolutions_count_before_the_entropy() -> None:
    found = []
    for count in range(4):
        a, b, c = ("nor_conv_1x1",) * count + ("skip_connect",) * (3 - count)
        chain = NASBENCH201.from_text(_text((a, "none", b, "none", "none", c)))
        found.append(weight_information(chain, 0)[0])
    # Kernels, scales and shifts: 3 of the stem, 7 of each block of stride 2, 2 of the last
    # normalisation and 2 of the dense layer; and 3 of a convolution in each of 15 cells.
    entropies = np.array(found) - (21 + 45 * np.arange(4))
    assert ((entropies > 0) & (entropies < np.log(9))).all()


def _text(operations: tuple[str, ...]) -> str:
    a, b, c, d, e, f = operations
    return f"|{a}~0|+|{b}~0|{c}~1|+|{d}~0|{e}~1|{f}~2|"


def test_a_cell_whose_output_is_always_zero() -> None:
    found = weight_information(NASBENCH201.from_text(_text(("none",) * 6)), 0)
    assert np.isfinite(found[0])
    assert found[1] == -np.inf


def test_networks_that_divide_images_by_sixteen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half the official images are large enough for statistics of the last feature map."""
    monkeypatch.setattr(measured, "BATCH_SIZE", 2)
    cell = find_space("transnasbench101").support.from_text("64-41414-1_11_111")
    assert np.isfinite(weight_information(cell, 0)).all()


def test_spaces_without_networks_are_refused() -> None:
    foreign = Cell([[0, 1], [0, 0]], ["a", "a"], SearchSpace("plain", ("a",), 3, 3))
    with pytest.raises(MeasureError, match="space 'plain' have no network of official size"):
        weight_information(foreign, 0)
