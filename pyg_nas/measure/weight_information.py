"""Information of an untrained network's outputs about its weights: two proxies of VKDNW.

Random images pass through a network with random weights. No data and no label of any task are
used.

Source: Týbl and Neumann, VKDNW (arXiv:2502.04975), sections III and IV. Its joint rank also has
two proxies of AZ-NAS (:mod:`pyg_nas.measure.propagation`) and the count of multiply-accumulates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from pyg_nas.compute.generators import seeded_generator
from pyg_nas.measure.network import draw_official_network
from pyg_nas.spaces.grouped_layers import (
    BATCH_NORM_EPSILON,
    GroupedBatchNorm,
    GroupedConv,
    from_image,
    to_image,
)

if TYPE_CHECKING:
    from pyg_nas.graphs.cell import Cell

BATCH_SIZE = 32
INFORMATION = ("knowledge of the weights", "difference of the images' gradients")
"""Names of the numbers of :func:`weight_information`, in their order."""

_EVEN_SHARE = 0.05  # of equal probabilities, so that no class has probability 0
_NOTHING = 1e-10
_LEAST_EIGENVALUE = 1e-5


def weight_information(cell: Cell, seed: int) -> NDArray[np.float64]:
    """Return how evenly outputs inform about weights, and how images differ, float64 ``[2]``.

    - The Fisher information of the network's outputs about the first number of each of its ``P``
      tensors of weights and biases, a matrix ``[P, P]``. Of its eigenvalues the nine inner deciles
      are taken; the first number is ``P`` plus the entropy of their shares in nats. Each
      convolution adds 3 to ``P`` with its normalisation, and the entropy is below 3: it
      distinguishes cells with as many convolutions.
    - The gradients of the sum of all outputs at the images are correlated with each other. With
      the eigenvalues ``v`` of these correlations it is the negative sum of ``log v + 1 / v``,
      larger for gradients that differ more. It is minus infinity where outputs do not depend on
      images.

    The network has the official size of the space; it sees 32 images of independent normal pixels,
    of half the official height and width. Batch normalisation uses the statistics of each image for
    the first number, as images are independent there, and of the batch for the second.

    Args:
        cell: A cell whose space has networks of an official size.
        seed: Random seed of weights and images.

    Raises:
        MeasureError: If cells of its space have no such network.
    """
    generator = seeded_generator(seed)
    network, size = draw_official_network(cell, generator)
    network.requires_grad_(False)
    height, width = size.image_size
    shape = (BATCH_SIZE, size.image_channels, height // 2, width // 2)
    images = torch.randn(shape, generator=generator)
    difference = _difference(network, images)
    logits, gradients = logits_and_gradients(network, images)
    return np.array([gradients.shape[2] + _evenness(logits, gradients), difference])


def _difference(network: nn.Module, images: Tensor) -> float:
    """Return the second number, of images ``[B, C, H, W]``."""
    images = images.clone().requires_grad_()
    total = network(images[None]).sum()
    if not total.requires_grad:
        return -np.inf
    (gradients,) = torch.autograd.grad(total, images)
    rows = gradients.flatten(1).double()
    rows = rows - rows.mean(dim=1, keepdim=True)
    lengths = rows.norm(dim=1, keepdim=True)
    if not lengths.all():
        return -np.inf
    rows = rows / lengths
    eigenvalues = torch.linalg.eigvalsh(rows @ rows.T) + _LEAST_EIGENVALUE
    return -float((eigenvalues.log() + 1 / eigenvalues).sum())


def logits_and_gradients(network: Any, images: Tensor) -> tuple[Tensor, Tensor]:
    """Return the logits ``[B, K]`` of single images, and their gradients ``[B, K, P]``.

    The gradients are those at the first number of each weight and bias of a network with one
    member, in its newly drawn state: scales of batch normalisation are 1 and shifts are 0. First
    come those of the convolutions and of batch normalisation, in the order of the modules, at last
    the two of the dense layer.

    Args:
        network: From :meth:`~pyg_nas.graphs.cell_network.CellNetwork.build`, whose parameters
            require no gradient.
        images: ``[B, C, H, W]``.
    """
    outputs: list[Tensor] = []  # of layers, [B, H, W, 1, C]
    factors: list[Tensor] = []  # what the first weights multiply, [B, H, W] or one number

    def multiply(conv: GroupedConv, inputs: tuple[Tensor], output: Tensor) -> None:
        # The first weight multiplies the first channel at the upper left corner of every window.
        height, width = inputs[0].shape[1:3]
        margin = conv.weight.shape[-1] // 2
        corner = functional.pad(inputs[0].detach()[..., 0, 0], (margin, 0, margin, 0))
        outputs.append(output)
        factors.append(corner[:, : height : conv.stride, : width : conv.stride])

    def normalize(norm: GroupedBatchNorm, inputs: tuple[Tensor], output: Tensor) -> Tensor:
        image = functional.instance_norm(to_image(inputs[0]), eps=BATCH_NORM_EPSILON)
        normal = from_image(image.contiguous(memory_format=torch.channels_last), 1)
        outputs.extend([normal, normal])
        factors.extend([normal.detach()[..., 0, 0], images.new_ones(())])
        return functional.relu(normal) if norm.rectified else normal

    hooks = [
        layer.register_forward_hook(multiply if isinstance(layer, GroupedConv) else normalize)
        for layer in network.modules()
        if isinstance(layer, GroupedConv | GroupedBatchNorm)
    ]
    images = images.clone().requires_grad_()
    states = network.layers(images[None].permute(1, 3, 4, 0, 2))
    for hook in hooks:
        hook.remove()
    features = states.mean(dim=(1, 2)).squeeze(1)  # [B, C]
    logits = network.classify(states).squeeze(0)  # [B, K]
    gradients = images.new_zeros(*logits.shape, len(outputs))
    # Where the output of a cell is always zero nothing depends on the weights before it.
    for label in range(logits.shape[1]) if states.requires_grad else ():
        # Images are independent: the gradient of the sum at an image is that of its own logit.
        found = torch.autograd.grad(logits[:, label].sum(), outputs, retain_graph=True)
        columns = [
            (gradient[..., 0, 0] * factor).sum(dim=(1, 2))
            for gradient, factor in zip(found, factors, strict=True)
        ]
        gradients[:, label] = torch.stack(columns, dim=1)
    dense = images.new_zeros(*logits.shape, 2)
    dense[:, 0, 0], dense[:, 0, 1] = features.detach()[:, 0], 1
    return logits.detach(), torch.cat([gradients, dense], dim=2)


def _evenness(logits: Tensor, gradients: Tensor) -> float:
    """Return the entropy of the deciles, from logits ``[B, K]`` and gradients ``[B, K, P]``."""
    gradients = gradients.double()
    shares = torch.softmax(logits.double(), dim=1)
    shares = shares * (1 - _EVEN_SHARE) + _EVEN_SHARE / shares.shape[1]
    # The covariance of a label drawn by these probabilities is diag(p) - p pᵀ.
    centred = gradients - torch.einsum("bk,bkp->bp", shares, gradients)[:, None]
    weighted = (shares.sqrt()[:, :, None] * centred).flatten(0, 1)
    information = weighted.T @ weighted / len(logits)
    eigenvalues = torch.linalg.eigvalsh(information).clamp(min=0)
    deciles = torch.quantile(eigenvalues, torch.arange(1, 10, dtype=torch.double) / 10)
    parts = deciles / (deciles.sum() + _NOTHING)
    return float(-(parts * (parts + _NOTHING).log()).sum())
