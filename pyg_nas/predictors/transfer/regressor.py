"""The regressor of the recipe transfer: a Gaussian process with a prior from shipped tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import FiniteFloat

from pyg_nas.errors import ModelError
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.predictors.gaussian_process.regressor import GROUPS, GaussianProcess
from pyg_nas.predictors.hybrid import HybridRegressor
from pyg_nas.predictors.labelled_features import LabelledFeatures
from pyg_nas.predictors.parameter_rules import TRANSFER_RULES
from pyg_nas.predictors.storage.state import Array, FittedState
from pyg_nas.predictors.transfer.common_process import common_digest, shipped_names
from pyg_nas.predictors.transfer.digits import have_shipped_values
from pyg_nas.predictors.transfer.prior import CORRELATION, fit_prior
from pyg_nas.predictors.transfer.scores import (
    check_transferable,
    process_scores,
    proxy_scores,
    transfer_scores,
)
from pyg_nas.predictors.transfer.space_process import space_process
from pyg_nas.predictors.validation import Cells

# Of the regressor without the prior; docs/results.md has how both were chosen.
_EVEN_CELLS, _LEAST_PLAIN_CELLS = 25, 20
_TINY = 1e-12


@dataclass(eq=False, repr=False)
class TransferRegressor(HybridRegressor):
    """A :class:`HybridRegressor` that takes its prior from the shipped tables.

    Where shipped tables have cells of the space, the scale of the features and the process'
    hyper-parameters are those found on them
    (:func:`~pyg_nas.predictors.transfer.space_process.space_process`). The prior mean of the latent
    labels is linear in the scores by all shipped tables
    (:func:`~pyg_nas.predictors.transfer.scores.process_scores`) and, where the space has
    them, in those by untrained networks
    (:func:`~pyg_nas.predictors.transfer.scores.proxy_scores`) and in the joint ones
    (:func:`~pyg_nas.predictors.transfer.scores.transfer_scores`). The slopes and the variance of
    the process are fitted to the labels (:mod:`pyg_nas.predictors.transfer.prior`); the process,
    and the forest where there is one, predict the residuals. Tables that contain the training
    labels are not used. The arguments are those of :class:`HybridRegressor`, without its
    ``transfer`` features.

    From 20 training cells on, the latent labels are mixed with those of a :class:`HybridRegressor`
    without this prior and without networks, whose hyper-parameters are tuned on the labels. Its
    share is ``n / (n + 25)`` with ``n`` training cells, at most a half, times the probability that
    the joint scores do not rank as published.

    Args:
        falls_with_accuracy: Whether more accurate architectures tend to have a smaller label, such
            as a loss or a throughput. The scores, which rank by accuracy, are then negated.

    Attributes:
        plain_: The fitted regressor without the prior; None without a table, and if the last fit
            had fewer than 20 cells.
        tables_: Names of the shipped tables in use.
        slope_: Slope of the scores by the shipped tables; 0 without a table.
        proxy_slope_: Slope of the scores by untrained networks; None where there are none.
        joint_slope_: Slope of the scores by both; None where there are none.
        digest_: Digest of these tables and of the numbers of untrained networks in use.
    """

    parameter_rules: ClassVar = TRANSFER_RULES
    fitted_state: ClassVar = FittedState(
        arrays={
            **HybridRegressor.fitted_state.arrays,
            "proxy_slope": Array("float64", optional=True),
            "joint_slope": Array("float64", optional=True),
        },
        values={
            **HybridRegressor.fitted_state.values,
            "tables": tuple[str, ...],
            "slope": FiniteFloat,
            "digest": str,
        },
        # Models of earlier versions have no plain regressor.
        parts={**HybridRegressor.fitted_state.parts, "plain": False},
    )

    falls_with_accuracy: bool = False

    def fit(
        self, X: Cells, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> TransferRegressor:
        """Fit to ``N`` cells and their labels ``[N]``, see :meth:`HybridRegressor.fit`."""
        super().fit(X, y, sample_weight)
        self.plain_ = None
        cells, labels, weights = self._training
        if self.tables_ and len(cells) >= _LEAST_PLAIN_CELLS:
            plain = HybridRegressor(
                ensemble_size=0, accuracies=self.accuracies, random_state=self.random_state
            )
            self.plain_ = plain.fit(cells, labels, weights)
            alone, _ = self._unseen
            own, other = self.ratio_ * alone, self.plain_.ratio_ * self.plain_._unseen[0]
            mixed = own + self._plain_share * (other - own)
            self.ratio_ = float(np.abs(mixed).mean() / max(np.abs(alone).mean(), _TINY))
            self._calibrate(*self._unseen)
        return self

    def predict_scores(
        self, X: Cells, with_std: bool = True
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return latent labels and standard deviations, see :class:`HybridRegressor`."""
        latent, stds = super().predict_scores(X, with_std)
        if self.plain_ is not None:
            plain, _ = self.plain_.predict_scores(X, with_std=False)
            latent = latent + self._plain_share * (plain - latent)
        return latent, stds

    def _scores_again(self) -> bool:
        return self.plain_ is not None or super()._scores_again()  # by both regressors

    @property
    def _plain_share(self) -> float:
        cells = len(self.process_.dual_)
        joint = 0.0 if self.joint_slope_ is None else abs(float(self.joint_slope_))
        by_scores = 1 - joint / CORRELATION
        return by_scores * min(cells / (cells + _EVEN_CELLS), 0.5)

    def _extend(
        self,
        cells: CellArray,
        labels: NDArray[np.float64],
        weights: NDArray[np.float64] | None,
        added: int,
    ) -> None:
        super()._extend(cells, labels, weights, added)
        if self.plain_ is not None:
            self.plain_._first = self._first  # both are fitted again at once
            self.plain_.update(cells[-added:], labels[-added:])

    def usable_tables(self, cells: CellArray, labels: NDArray[np.float64]) -> tuple[str, ...]:
        """Return the names of the shipped tables that do not hold the labels ``[N]`` of cells."""
        return tuple(
            name for name in shipped_names() if not have_shipped_values(name, cells, labels)
        )

    def _fit_prior(
        self, cells: CellArray, labels: NDArray[np.float64], data: LabelledFeatures
    ) -> GaussianProcess | None:
        check_transferable(cells.space)
        latent, weights = data.labels, data.weights
        self.tables_ = self.usable_tables(cells, labels)
        self.slope_, self.proxy_slope_, self.joint_slope_ = 0.0, None, None
        self.digest_ = common_digest(self.tables_)
        if not self.tables_:
            return None
        like = space_process(cells.space, self.tables_, tuple(self._extra_groups()))
        if like is None:
            groups = (*GROUPS, *self.extra_features_)
            like = GaussianProcess(groups, random_state=self.random_state).fit_features(
                cells.space, data
            )
        by_proxies = bool(cells.space.support.proxy_files)
        scores = self._scores(cells, by_proxies)
        if by_proxies:
            self.digest_ = common_digest(self.tables_, cells.space)
        sign = -1.0 if self.falls_with_accuracy else 1.0
        scores = sign * scores
        scores -= np.average(scores, axis=1, weights=weights)[:, None]
        noise = np.full(len(latent), like.label_noise) / (1 if weights is None else weights)
        prior = fit_prior(
            scores[:2],
            scores[2] if by_proxies else None,
            latent - np.average(latent, weights=weights),
            like.covariance(data.features),
            noise,
        )
        self.slope_ = sign * float(prior.slopes[0])
        if by_proxies:
            self.proxy_slope_ = sign * prior.slopes[1]
            self.joint_slope_ = np.float64(sign * prior.joint_slope)
        return like.with_variance(prior.variance)

    def _prior_mean(self, cells: CellArray) -> NDArray[np.float64] | float:
        # No constant is needed: the process has the mean of the residuals.
        if not self.tables_:
            return 0.0
        if self.proxy_slope_ is None:
            return self.slope_ * process_scores(cells, self.tables_)
        slopes = np.array([self.slope_, self.proxy_slope_, self.joint_slope_])
        return np.asarray(slopes @ self._scores(cells, by_proxies=True))

    def _scores(self, cells: CellArray, by_proxies: bool) -> NDArray[np.float64]:
        """Return scores by the tables ``[1, N]``, or also by networks and jointly ``[3, N]``."""
        scores = [process_scores(cells, self.tables_)]
        if by_proxies:
            scores += [proxy_scores(cells), transfer_scores(cells, self.tables_)]
        return np.stack(scores)

    def check_fitted_state(self) -> None:
        """Check a state that was read against its parts and the shipped data here.

        Raises:
            ModelError: If they do not fit.
        """
        super().check_fitted_state()
        plain = self.plain_
        if plain is not None and (
            plain.space_ != self.space_ or len(plain.process_.dual_) != len(self.process_.dual_)
        ):
            raise ModelError("the regressor without a prior must have the same training cells")
        if unknown := set(self.tables_) - set(shipped_names()):
            raise ModelError(f"there is no shipped table {min(unknown)!r}")
        here = common_digest(self.tables_, None if self.proxy_slope_ is None else self.space_)
        if self.digest_ != here:
            raise ModelError(
                f"this model was trained with another version of the shipped transfer data: "
                f"{self.digest_!r}, this package has {here!r}; train it again"
            )
