"""Zero-cost statistics against a second way of computing them, and their images."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.measure.zero_cost import (
    NUMBERS,
    SIZE,
    natural_images,
    zero_cost_numbers,
)
from pyg_nas.spaces.nasbench101.network import Network


def by_name(cell: Cell, seed: int) -> dict[str, float]:
    return dict(zip(NUMBERS, zero_cost_numbers(cell, seed), strict=True))


def test_gradients_are_those_of_the_loss() -> None:
    """Central differences of the loss in float64 along the gradient that autograd finds."""
    cell = sample_cells(1, seed=3)[0]
    found = by_name(cell, seed=11)
    generator = torch.Generator().manual_seed(11)
    network = Network(cell, SIZE)
    network.initialize([generator])
    network = network.double()
    images = natural_images(generator).double()
    labels = torch.randint(SIZE.num_labels, (len(images),), generator=generator)

    def loss(images: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(network(images[None])[0], labels)

    at = images.clone().requires_grad_()
    gradient = torch.autograd.grad(loss(at), at)[0]
    norm = gradient.norm()
    step = 1e-6
    with torch.no_grad():
        along = (loss(images + step * gradient / norm) - loss(images - step * gradient / norm)) / (
            2 * step
        )
        value = loss(images)
    np.testing.assert_allclose(found["log loss"], value.log(), rtol=1e-4)
    # In float32 some units fall on the other side of their kink, by number of threads.
    np.testing.assert_allclose(found["log gradient of the images"], 2 * along.log(), atol=5e-2)

    value = loss(images)
    value.backward()
    stem = network.layers[0]
    squares = sum(float(p.grad.square().sum()) for p in stem.parameters())
    saliency = sum(float((p.detach() * p.grad).abs().sum()) for p in stem.parameters())
    np.testing.assert_allclose(found["log gradient of the stem"], np.log(squares), atol=5e-2)
    np.testing.assert_allclose(found["log saliency of the stem"], np.log(saliency), atol=5e-2)


def test_a_cell_without_operations_keeps_images_apart() -> None:
    """It only projects its input: nothing that would make images alike."""
    found = by_name(Cell([[0, 1], [0, 0]], ["input", "output"]), seed=0)
    assert found["entropy after stack 3"] > 0.9 * np.log(23)
    assert -1 < found["log spread after stack 3"] < 0


def test_spread_and_entropy_have_their_bounds() -> None:
    for number, cell in enumerate(sample_cells(12, seed=4)):
        found = by_name(cell, seed=number)
        assert all(np.isfinite(list(found.values())))
        for stack in (1, 2, 3):
            assert found[f"log spread after stack {stack}"] <= 1e-6
            # 24 centred images span 23 components.
            assert 0 <= found[f"entropy after stack {stack}"] <= np.log(23) + 1e-6


def test_same_seed_same_numbers() -> None:
    cell = sample_cells(1, seed=5)[0]
    np.testing.assert_array_equal(zero_cost_numbers(cell, 1), zero_cost_numbers(cell, 1))
    assert (zero_cost_numbers(cell, 1) != zero_cost_numbers(cell, 2)).all()


def test_amplitudes_of_images_fall_with_frequency() -> None:
    images = natural_images(torch.Generator().manual_seed(0))
    assert abs(float(images.mean())) < 1e-5
    np.testing.assert_allclose(float(images.std()), 1, atol=1e-5)
    power = np.square(np.abs(np.fft.fft2(images.numpy()))).mean(axis=(0, 1))
    frequency = np.fft.fftfreq(16)
    distance = np.hypot(frequency[:, None], frequency).ravel()
    slope = np.polyfit(np.log(distance[1:]), np.log(power.ravel()[1:]), 1)[0]
    assert -2.2 < slope < -1.8
