"""The regressor of the recipe transfer: a Gaussian process around a transferred mean."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import FiniteFloat

from pyg_nas.errors import ModelError
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.predictors.common_process import common_digest, transfer_scores
from pyg_nas.predictors.hybrid import HybridRegressor
from pyg_nas.predictors.state import FittedState
from pyg_nas.predictors.transfer import have_shipped_values

# Weight of a line of slope 1, in labels.
_PSEUDO_LABELS = 5.0


class TransferRegressor(HybridRegressor):
    """A :class:`HybridRegressor` whose prior mean is transferred from the shipped tables.

    The mean of the latent labels is a straight line of the scores by the shipped tables
    (:func:`~pyg_nas.predictors.common_process.transfer_scores`). It is fitted to the labels,
    however few, and the process predicts the differences from it. Arguments are those of
    :class:`HybridRegressor`.

    Attributes:
        slope_: Slope of the line.
        offset_: Offset of the line.
        digest_: Names the shipped data in use.
    """

    _with_forest = False  # its share was not chosen around a prior mean
    fitted_state: ClassVar = FittedState(
        arrays=HybridRegressor.fitted_state.arrays,
        values={
            **HybridRegressor.fitted_state.values,
            "slope": FiniteFloat,
            "offset": FiniteFloat,
            "digest": str,
        },
        parts=HybridRegressor.fitted_state.parts,
    )

    def _without_prior_mean(
        self,
        cells: CellArray,
        labels: NDArray[np.float64],
        latent: NDArray[np.float64],
        weights: NDArray[np.float64] | None,
    ) -> NDArray[np.float64]:
        scores = transfer_scores(cells)
        self.digest_ = common_digest()
        self.slope_ = self.offset_ = 0.0
        if have_shipped_values(cells, labels):  # the scores were computed from these labels
            return latent
        centre = np.average(scores, weights=weights)
        spread = np.average((scores - centre) ** 2, weights=weights)
        level = np.average(latent, weights=weights)
        common = np.average((scores - centre) * (latent - level), weights=weights)
        share = _PSEUDO_LABELS / (_PSEUDO_LABELS + len(latent))
        self.slope_ = float(((1 - share) * common + share) / ((1 - share) * spread + share))
        self.offset_ = float(level - self.slope_ * centre)
        return latent - self._line(scores)

    def _prior_mean(self, cells: CellArray) -> NDArray[np.float64]:
        return self._line(transfer_scores(cells))

    def _line(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.offset_ + self.slope_ * scores

    def check_fitted_state(self) -> None:
        """Check a state that was read against its parts and the shipped data here.

        Raises:
            ModelError: If they do not fit.
        """
        super().check_fitted_state()
        if self.digest_ != common_digest():
            raise ModelError(
                f"this model was trained with another version of the shipped tables: "
                f"{self.digest_!r}, here is {common_digest()!r}"
            )
