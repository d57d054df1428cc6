"""Hyper-parameters of a Gaussian process by the maximum of their posterior."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pyg_nas.engine.adam import ADAM_BETAS, ADAM_EPSILON, one_cycle
from pyg_nas.predictors.gaussian_process.kernels import MaternLinearPosterior


@torch.no_grad()
def most_likely(posteriors: Sequence[MaternLinearPosterior], steps: int) -> Tensor:
    """Return the hyper-parameters that maximise a posterior, by steps of Adam.

    Args:
        posteriors: The last one is maximised. Each takes an equal part of the steps, so that the
            first ones, on fewer cells, do the part that is far from the maximum.
        steps: Number of steps.

    Returns:
        Logarithms ``[G + R + 3]``, as :class:`MaternLinearPosterior` takes them.
    """
    posterior = posteriors[-1]
    logarithms = posterior.start()
    mean, square = torch.zeros_like(logarithms), torch.zeros_like(logarithms)
    beta2 = ADAM_BETAS[1]
    rates, betas = one_cycle(steps, highest=0.1, rising=0.1)
    for step, (rate, beta1) in enumerate(zip(rates, betas, strict=True), 1):
        current = posteriors[(step - 1) * len(posteriors) // steps]
        # A posterior grows with its cells: in the unit of the last one.
        scale = len(posterior.targets) / len(current.targets)
        gradient = scale * current.loss_and_gradient(logarithms)[1]
        mean = beta1 * mean + (1 - beta1) * gradient
        square = beta2 * square + (1 - beta2) * gradient**2
        root = (square / (1 - beta2**step)).sqrt() + ADAM_EPSILON
        logarithms = logarithms - rate / (1 - beta1**step) * mean / root
    return logarithms
