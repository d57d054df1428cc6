"""Covariance functions of the Gaussian process, and the posterior of their hyper-parameters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.linalg import vector_norm

from pyg_nas.compute.jit import compiled_enabled

FEWEST_INPUTS = 1_024
"""Inputs from which on compiled code saves more time than it takes to load."""

# Of a block of covariances that stays in the processor's cache: with more than 256 known inputs,
# and with fewer.
_ROWS, _MOST_ROWS = 128, 256
_COVARIANCE_ROWS = 256
_IN_CACHE = 16_384  # covariances whose intermediate results stay in the processor's cache
_LEAST_NOISE = 1e-4


@dataclass(eq=False, repr=False)
class MaternLinearKernel:
    """Matérn 5/2 of the distances plus the inner products of weighted inputs.

    Args:
        weights: Inverse length scale of each input ``[d]``.
        variance: Variance of the Matérn part.
        linear: Variance of the linear part.
    """

    weights: Tensor
    variance: Tensor | float
    linear: Tensor | float

    def scaled(self, inputs: Tensor) -> Tensor:
        """Return weighted inputs, ``[N, d]``, as the other methods take them."""
        return inputs * self.weights

    def covariance(self, one: Tensor, two: Tensor, squares: Tensor | None = None) -> Tensor:
        """Return the covariances of weighted inputs ``[n, d]`` and ``[m, d]``, ``[n, m]``.

        ``squares`` is the squared length of each of the second ``[m]``, if it is known.
        """
        if squares is None:
            squares = two.square().sum(dim=1)
        if max(len(one), len(two)) >= FEWEST_INPUTS and compiled_enabled():
            from pyg_nas.engine.compiled import make_covariances

            found, lengths = one @ two.T, one.square().sum(dim=1).numpy()
            variances = float(self.variance), float(self.linear)
            make_covariances(found.numpy(), lengths, squares.numpy(), *variances)
            return found
        if len(one) <= _COVARIANCE_ROWS:
            return self._covariance(one, two, squares)
        # In blocks: the intermediate results of a covariance need several times its memory.
        found = one.new_empty(len(one), len(two))
        blocks = zip(found.split(_COVARIANCE_ROWS), one.split(_COVARIANCE_ROWS), strict=True)
        for rows, part in blocks:
            rows.copy_(self._covariance(part, two, squares))
        return found

    def _covariance(self, one: Tensor, two: Tensor, squares: Tensor) -> Tensor:
        product = one @ two.T
        lengths = one.square().sum(dim=1, keepdim=True)
        rows = max(1, _IN_CACHE // max(1, len(two)))
        found = torch.empty_like(product)
        squares = 5 * squares + 1e-10
        for part, length, covariances in zip(
            product.split(rows), (5 * lengths).split(rows), found.split(rows), strict=True
        ):
            # Five times the squared distance.
            square = torch.add(length, part, alpha=-10).add_(squares).clamp_(min=1e-10)
            distance = square.sqrt()
            decay = distance.neg().exp_()
            matern = torch.addcmul(decay, decay, distance).addcmul_(decay, square, value=1 / 3)
            torch.mul(matern, self.variance, out=covariances).add_(self.linear * part)
        return found

    def variances(self, inputs: Tensor, squares: Tensor | None = None) -> Tensor:
        """Return the prior variance of each of the weighted inputs, ``[N]``.

        ``squares`` are their squared lengths ``[N]``, if they are known.
        """
        if squares is None:
            squares = inputs.square().sum(dim=1)
        return self.variance + self.linear * squares

    def posterior_means(self, inputs: Tensor, known: Tensor, duals: Tensor) -> Tensor:
        """Return ``covariance(inputs, known) @ duals`` ``[N, K]``, in blocks.

        This takes most of the time of scoring many cells. Covariances are computed in the precision
        of ``duals``, their sums in double precision, because large terms cancel. All blocks have
        one size, on which rounding depends: equal inputs have equal means wherever they stand, so
        that equal cells stay tied in a ranking.

        For weighted inputs ``[N, d]``, those of the training cells ``[n, d]`` and ``duals`` ``[n,
        K]``.
        """
        inputs, known = inputs.to(duals.dtype), known.T.to(duals.dtype)
        size = _MOST_ROWS if known.shape[1] <= _MOST_ROWS else _ROWS
        smooth = self.variance / 3 * duals.double()
        # The linear part needs no covariances.
        straight = self.linear * (known @ duals)
        # Rows whose product is five times the squared distance: inputs, squared length, 1.
        ones = known.new_ones(1, known.shape[1])
        right = 5 * torch.cat([-2 * known, ones, known.square().sum(dim=0, keepdim=True)])
        left = known.new_ones(size, len(right))
        rows, squares = left[:, :-2], left[:, -2]
        square, root = known.new_empty(2, size, known.shape[1])
        means = []
        for part in inputs.split(size):
            rows[: len(part)] = part
            rows[len(part) :] = 0
            torch.square(vector_norm(rows, dim=1), out=squares)
            torch.mm(left, right, out=square).clamp_(min=0)
            torch.sqrt(square, out=root)
            # Three times the Matérn part: 3 + 3 r + r², times exp(-r).
            matern = square.add_(root, alpha=3).add_(3).mul_(root.neg_().exp_())
            means.append((matern.double() @ smooth).to(duals.dtype) + rows @ straight)
        return torch.cat(means)[: len(inputs)]


class MaternLinearPosterior:
    """Posterior of a :class:`MaternLinearKernel`'s hyper-parameters, given inputs and targets.

    Each group of inputs has a length scale. In some groups each input also has a relevance, whose
    logarithm has a narrow Gaussian prior around 0; scales and variances have wider priors. All
    hyper-parameters are one vector of logarithms: inverse length scales of the ``G`` groups,
    relevances of ``R`` inputs, variances of the Matérn part, the linear part and the noise.

    The gradient is exact (Rasmussen and Williams, 2006, equation 5.9). Weights enter through the
    inner products of weighted inputs alone, so that the derivative with respect to these products,
    one matrix, gives the gradients of all of them.

    Args:
        inputs: Inputs without weights, float64 ``[n, d]``.
        targets: Their targets, float64 ``[n]``.
        repeats: The noise of a target is divided by its number of repeats, float64 ``[n]``.
        group: Group of each input, int ``[d]``.
        relevant: Groups whose inputs have a relevance each, bool ``[G]``.
    """

    def __init__(
        self,
        inputs: Tensor,
        targets: Tensor,
        repeats: Tensor,
        group: NDArray[np.int64],
        relevant: NDArray[np.bool_],
    ) -> None:
        self.inputs, self.targets, self.repeats = inputs, targets, repeats
        sizes = np.bincount(group, minlength=len(relevant))
        own = np.flatnonzero(relevant[group])
        self._group, self._own = torch.as_tensor(group), torch.as_tensor(own)
        # A group's inputs share its squared distance.
        self._inverse_root = torch.as_tensor(1.0 / np.sqrt(sizes[group]))
        self._parts = (len(relevant), len(own), 2, 1)
        self._centre = self._vector(-0.5, 0.0, 1.0, 0.0)
        self._precision = self._vector(0.1, 2.0, 0.1, 0.0)  # the noise has a flat prior
        # Groups without relevances keep their inner products, up to their scale.
        shared = np.flatnonzero(~relevant & (sizes > 0))
        self._shared = torch.as_tensor(shared)
        self._products = torch.empty(len(shared), len(inputs) ** 2, dtype=torch.float64)
        for row, number in zip(self._products, shared, strict=True):
            part = inputs[:, group == number]
            torch.matmul(part, part.T / sizes[number], out=row.view(len(inputs), -1))

    def start(self) -> Tensor:
        """Return hyper-parameters ``[G + R + 3]`` where tuning starts."""
        start = self._centre.clone()
        start[-2:] = torch.tensor([-1.0, -2.5])
        return start

    def kernel(self, logarithms: Tensor) -> MaternLinearKernel:
        """Return the kernel of hyper-parameters ``[G + R + 3]``."""
        by_group, by_input, variances, _ = logarithms.split(self._parts)
        weights = by_group[self._group].index_add(0, self._own, by_input).exp()
        variance, linear = variances.exp()
        return MaternLinearKernel(weights * self._inverse_root, variance, linear)

    def noise(self, logarithms: Tensor) -> Tensor:
        """Return the variance of the noise ``[]`` of hyper-parameters ``[G + R + 3]``."""
        return logarithms[-1].exp() + _LEAST_NOISE

    def loss(self, logarithms: Tensor, factor: Tensor, dual: Tensor) -> Tensor:
        """Return minus the logarithm of the posterior ``[]``, up to a constant.

        Args:
            logarithms: Hyper-parameters ``[G + R + 3]``.
            factor: Cholesky factor of the targets' covariance, noise included, ``[n, n]``.
            dual: The inverse of this covariance times the targets ``[n]``.
        """
        prior = 0.5 * (self._precision * (logarithms - self._centre).square()).sum()
        # |K + noise / r| of one target against the determinant of r equal ones, which have no
        # residuals among themselves.
        copies = 0.5 * (self.repeats - 1).sum() * self.noise(logarithms).log()
        return 0.5 * self.targets @ dual + factor.diagonal().log().sum() + copies + prior

    def loss_and_gradient(self, logarithms: Tensor) -> tuple[Tensor, Tensor]:
        """Return :meth:`loss` ``[]`` and its gradient ``[G + R + 3]`` at hyper-parameters."""
        kernel, noise = self.kernel(logarithms), self.noise(logarithms)
        own = self.inputs[:, self._own] * kernel.weights[self._own]  # [n, R]
        scales = (2 * logarithms[self._shared]).exp()
        product = (own @ own.T).add_((scales @ self._products).view(len(own), -1))  # [n, n]
        norms = 5 * product.diagonal()
        distance = torch.add(norms[:, None], norms + 1e-10)
        distance.sub_(product, alpha=10).clamp_(min=1e-10).sqrt_()
        decay = distance.neg().exp_()
        slope = torch.addcmul(decay, decay, distance)
        matern = torch.addcmul(slope, decay, distance.square_(), value=1 / 3)
        covariance = (kernel.variance * matern).add_(kernel.linear * product)
        covariance.diagonal().add_(noise / self.repeats)
        factor = torch.linalg.cholesky(covariance)
        dual = torch.cholesky_solve(self.targets[:, None], factor).squeeze(1)

        # Derivatives with respect to covariances, squared distances and products [n, n]. LAPACK's
        # inverse lies by columns; it is symmetric, and its transpose lies as the others do.
        inverse = torch.cholesky_inverse(factor).T.contiguous()
        by_covariance = inverse.addr_(dual, dual, alpha=-1).div_(2)
        by_matern = kernel.variance * (by_covariance * matern).sum()
        by_linear = kernel.linear * (by_covariance * product).sum()
        by_noise = by_covariance.diagonal() @ (1 / self.repeats)
        by_noise += 0.5 * (self.repeats - 1).sum() / noise
        by_square = slope.mul_(by_covariance).mul_(-5 / 6 * kernel.variance)
        by_product = by_covariance.mul_(kernel.linear).sub_(by_square, alpha=2)
        by_product.diagonal().add_(2 * by_square.sum(dim=0))
        by_input = 2 * (own * (by_product @ own)).sum(dim=0)
        by_group = torch.zeros(self._parts[0], dtype=torch.float64)
        by_group.index_add_(0, self._group[self._own], by_input)
        by_group[self._shared] = 2 * scales * (self._products @ by_product.view(-1))
        last = torch.stack([by_matern, by_linear, by_noise * (noise - _LEAST_NOISE)])
        gradient = torch.cat([by_group, by_input, last])
        gradient += self._precision * (logarithms - self._centre)
        return self.loss(logarithms, factor, dual), gradient

    def _vector(self, *values: float) -> Tensor:
        """Return a vector ``[G + R + 3]`` of one value for each kind of hyper-parameter."""
        return torch.tensor(values, dtype=torch.float64).repeat_interleave(
            torch.tensor(self._parts)
        )
