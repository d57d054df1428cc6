"""Covariance functions of the Gaussian process, apart from the process itself."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_ROWS = 128  # of a block of covariances that stays in the processor's cache


class MaternLinearKernel:
    """Matérn 5/2 of the distances plus the inner products of weighted inputs.

    Args:
        weights: Inverse length scale of each input ``[d]``.
        variance: Of the Matérn part.
        linear: Variance of the linear part.
    """

    def __init__(self, weights: Tensor, variance: Tensor | float, linear: Tensor | float) -> None:
        self.weights = weights
        self.variance = variance
        self.linear = linear

    def scaled(self, inputs: Tensor) -> Tensor:
        """Return weighted inputs, ``[N, d]``, as the other methods take them."""
        return inputs * self.weights

    def covariance(self, one: Tensor, two: Tensor) -> Tensor:
        """Return the covariances of weighted inputs ``[n, d]`` and ``[m, d]``, ``[n, m]``."""
        product = one @ two.T
        squares = one.square().sum(dim=1)[:, None] + two.square().sum(dim=1) - 2 * product
        distance = torch.sqrt(5 * squares.clamp(min=0) + 1e-10)
        matern = (1 + distance + distance.square() / 3) * torch.exp(-distance)
        return self.variance * matern + self.linear * product

    def variances(self, inputs: Tensor) -> Tensor:
        """Return the prior variance of each of the weighted inputs, ``[N]``."""
        return self.variance + self.linear * inputs.square().sum(dim=1)

    def posterior_means(self, inputs: Tensor, known: Tensor, duals: Tensor) -> Tensor:
        """Return ``covariance(inputs, known) @ duals`` ``[N, K]``, in place and in blocks.

        Most of the time of scoring many cells. Covariances are computed in the precision of
        ``duals``, their sums in double precision: large terms cancel.

        Args:
            inputs: Weighted inputs ``[N, d]``.
            known: Those of the training cells ``[n, d]``.
            duals: ``[n, K]``.
        """
        inputs, known = inputs.to(duals.dtype), known.T.to(duals.dtype)
        smooth = self.variance * duals.double()
        # The linear part needs no covariances.
        straight = self.linear * (known @ duals)
        # Rows whose product is five times the squared distance.
        ones = torch.ones_like(inputs[:, :1]), torch.ones_like(known[:1])
        left = torch.cat([inputs, inputs.square().sum(dim=1, keepdim=True), ones[0]], dim=1)
        right = 5 * torch.cat([-2 * known, ones[1], known.square().sum(dim=0, keepdim=True)])
        means = []
        for rows, part in zip(left.split(_ROWS), inputs.split(_ROWS), strict=True):
            square = (rows @ right).clamp_(min=0)
            root = square.sqrt()
            matern = square.div_(3).add_(root).add_(1).mul_(root.neg_().exp_())
            means.append((matern.double() @ smooth).to(duals.dtype) + part @ straight)
        return torch.cat(means)


class MaternLinearPrior:
    """The hyper-parameters of :class:`MaternLinearKernel` while they are tuned, and their prior.

    Each group of inputs has a length scale, and inputs with a relevance of their own have one each
    besides, held near their group's by a Gaussian prior.

    Args:
        group: Group of each input, int ``[d]``.
        relevant: Inputs with a relevance of their own, bool ``[d]``.
    """

    def __init__(self, group: NDArray[np.int64], relevant: NDArray[np.bool_]) -> None:
        self._number = torch.as_tensor(group)
        # A group's inputs share its squared distance.
        self._inverse_root = torch.as_tensor(1.0 / np.sqrt(np.bincount(group)[group]))
        self._own = torch.as_tensor(relevant, dtype=torch.float64)
        groups = int(group.max()) + 1 if len(group) else 0
        # Logarithms. They start at the centres of their priors, but for less of the linear part.
        self._by_group = torch.full((groups,), -0.5, dtype=torch.float64, requires_grad=True)
        self._by_input = torch.zeros(len(group), dtype=torch.float64, requires_grad=True)
        self._variances = torch.tensor([1.0, -1.0], dtype=torch.float64, requires_grad=True)

    def parameters(self) -> list[Tensor]:
        """Return the tensors to tune."""
        return [self._by_group, self._by_input, self._variances]

    def kernel(self) -> MaternLinearKernel:
        """Return the kernel of the current hyper-parameters; gradients pass through it."""
        weights = torch.exp(self._by_group[self._number] + self._by_input * self._own)
        variance, linear = self._variances.exp()
        return MaternLinearKernel(weights * self._inverse_root, variance, linear)

    def penalty(self) -> Tensor:
        """Return minus the logarithm of the prior: log-normal on scales and variances."""
        scales = 0.05 * (self._by_group + 0.5).square().sum() + self._by_input.square().sum()
        return scales + 0.05 * (self._variances - 1).square().sum()
