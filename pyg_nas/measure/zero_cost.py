"""Zero-cost numbers: properties of a cell's network before any training.

One batch of images is passed forwards and backwards through a cell's network with random weights.
The size of the gradients at every depth indicates how well the network can be trained, and the
distances between images how much information it transmits. No label of any task is used.

Sources: gradient norm and saliency as in Abdelfattah et al. (arXiv:2101.08134); the spread of the
images after Poole et al. (arXiv:1606.05340).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from pyg_nas.compute.generators import seeded_generator
from pyg_nas.errors import MeasureError
from pyg_nas.graphs.cell_network import NetworkSize

if TYPE_CHECKING:
    from pyg_nas.graphs.cell import Cell

IMAGE_SIZE = 16
BATCH_SIZE = 24
_STACKS, _CELLS = 3, 3
SIZE = NetworkSize(16, _STACKS, _CELLS, num_labels=10, image_size=(IMAGE_SIZE, IMAGE_SIZE))
_LEAST = 1e-30
NOTHING = math.log(_LEAST)
"""Written in place of the logarithm of zero."""

_PARTS = ("the stem", *(f"stack {stack}" for stack in range(1, _STACKS + 1)))
NUMBERS = (
    *(f"{what} of {part}" for part in _PARTS for what in ("log gradient", "log saliency")),
    "log gradient of the classifier",
    "log gradient of the images",
    "log loss",
    *(f"log gradient at cell {cell}" for cell in range(1, _STACKS * _CELLS + 1)),
    *(f"{what} after {part}" for part in _PARTS[1:] for what in ("log spread", "entropy")),
    "log spread of the features",
    "log variance of the features",
)
"""Names of the numbers of :func:`zero_cost_numbers`, in their order."""


def zero_cost_numbers(cell: Cell, seed: int) -> NDArray[np.float64]:
    """Return the zero-cost numbers of a cell's network, float64 by :data:`NUMBERS`.

    The network has three stacks of three cells and 16 channels; it sees 24 random images of
    16 x 16 pixels with random labels, and batch normalisation uses their statistics.

    - A gradient is a sum of squares over weights or images, and a mean of squares at a cell's
      output; a saliency the sum of ``|weight x gradient|``.
    - The spread is the share of the images' variance in the mean square of a stack's output;
      the entropy is that of the shares of the variance's principal components, in nats. Features
      are the means of the last output over the pixels of an image.

    Args:
        cell: A cell whose space has networks with three stacks of three cells.
        seed: Random seed of weights, images and labels.

    Raises:
        MeasureError: If cells of its space have no network.
    """
    builder = cell.space.support.network
    if builder is None:
        raise MeasureError(f"cells of space {cell.space.name!r} have no network")
    generator = seeded_generator(seed)
    network: Any = builder.build(cell, SIZE)
    network.initialize([generator])
    images = natural_images(generator).requires_grad_()
    labels = torch.randint(SIZE.num_labels, (BATCH_SIZE,), generator=generator)
    states = images[None].permute(1, 3, 4, 0, 2)
    outputs: list[Tensor] = []
    stem: list[nn.Module] = []
    for layer in network.layers:
        states = layer(states)
        if layer in network.cells:
            # Where a cell's output is always zero nothing depends on the weights before it.
            states.requires_grad_()
            states.retain_grad()
            outputs.append(states)
        elif not outputs:
            stem.append(layer)
    loss = F.cross_entropy(network.classify(states)[0], labels)
    loss.backward()
    modules = network.cells
    parts = [stem, *(modules[start : start + _CELLS] for start in range(0, len(modules), _CELLS))]
    with torch.no_grad():
        numbers = []
        for part in parts:
            weights = [weight for layer in part for weight in layer.parameters()]
            numbers.append(_log(sum(_gradient(w).square().sum() for w in weights)))
            numbers.append(_log(sum((w * _gradient(w)).abs().sum() for w in weights)))
        numbers.append(_log(_gradient(network.dense.weight).square().sum()))
        numbers.append(_log(_gradient(images).square().sum()))
        numbers.append(_log(loss))
        numbers += [_log(_gradient(output).square().mean()) for output in outputs]
        for output in outputs[_CELLS - 1 :: _CELLS]:
            numbers += [_log_spread(output.flatten(1)), _entropy(output.flatten(1))]
        features = states.mean(dim=(1, 2)).flatten(1)
        numbers.append(_log_spread(features))
        numbers.append(_log(_centred(features).square().mean()))
    return np.array(numbers)


def natural_images(generator: torch.Generator) -> Tensor:
    """Draw a batch ``[24, 3, 16, 16]`` of mean 0 and variance 1 whose amplitudes fall as 1/f.

    This is the spectrum of natural images (Field, 1987), on which pooling and 3x3 convolutions have
    another effect than on white noise.
    """
    frequency = torch.fft.fftfreq(IMAGE_SIZE)
    distance = (frequency[:, None].square() + frequency.square()).sqrt().clamp(min=1 / IMAGE_SIZE)
    white = torch.randn(BATCH_SIZE, 3, IMAGE_SIZE, IMAGE_SIZE, generator=generator)
    images: Tensor = torch.fft.ifft2(torch.fft.fft2(white) / distance).real
    return (images - images.mean()) / images.std()


def _log(number: Tensor | float) -> float:
    return math.log(max(float(number), _LEAST))


def _gradient(tensor: Tensor) -> Tensor:
    return torch.zeros_like(tensor) if tensor.grad is None else tensor.grad


def _centred(values: Tensor) -> Tensor:
    return values - values.mean(dim=0)


def _log_spread(values: Tensor) -> float:
    return _log(_centred(values).square().mean()) - _log(values.square().mean())


def _entropy(values: Tensor) -> float:
    """Entropy of the shares of the rows' principal components in their variance."""
    centred = _centred(values).double()
    components = torch.linalg.eigvalsh(centred @ centred.T).clamp(min=_LEAST)
    shares = components / components.sum()
    return float(-(shares * shares.log()).sum())
