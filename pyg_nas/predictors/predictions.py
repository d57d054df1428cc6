"""Checked predictions. The class may be the user's own: a column, a NaN or a missing value would
otherwise choose arbitrary architectures, or end in another module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.errors import ModelError, first_true
from pyg_nas.io.limits import LARGEST_LABEL
from pyg_nas.io.user_code import user_call
from pyg_nas.predictors.validation import floats

Floats = NDArray[np.float64]


def checked_predictions(
    values: Any,
    count: int,
    named: Callable[[int], str],
    predictor: str = "the model",
    what: str = "value",
) -> Floats:
    """Return predictions of ``count`` architectures as an array ``[count]``.

    Args:
        values: What the predictor has returned.
        count: Number of architectures.
        named: Returns the name of the architecture of a row, for errors.
        predictor: Name of the predictor, for errors.
        what: Name of a value, for errors.

    Raises:
        ModelError: If there is not one finite number for each architecture, or one is beyond
            :data:`~pyg_nas.io.limits.LARGEST_LABEL`.
    """
    with user_call(f"predictions of {predictor}", ModelError):
        figures = floats(values)
    rule = f"{predictor} must predict one finite {what} for each of {count:,} architectures"
    if figures.shape != (count,):
        raise ModelError(f"{rule}, got an array of shape {list(figures.shape)}")
    if (row := first_true(~np.isfinite(figures))) is not None:
        raise ModelError(f"{rule}, got {figures[row]} for {named(row)}")
    if (row := first_true(np.abs(figures) > LARGEST_LABEL)) is not None:
        raise ModelError(
            f"{predictor} must predict a {what} from {-LARGEST_LABEL:g} to {LARGEST_LABEL:g}, got "
            f"{figures[row]:g} for {named(row)}"
        )
    return figures


def checked_mean_and_std(
    values: Any, count: int, named: Callable[[int], str], predictor: str = "the model"
) -> tuple[Floats, Floats]:
    """Return means and standard deviations, each as an array ``[count]``.

    Args:
        values: What the predictor has returned: both, as a pair or ``[2, count]``.
        count: Number of architectures.
        named: Returns the name of the architecture of a row, for errors.
        predictor: Name of the predictor, for errors.

    Raises:
        ModelError: If there is not one finite mean, and one finite standard deviation of at least
            0, for each architecture.
    """
    listed = isinstance(values, (tuple, list)) or (
        isinstance(values, np.ndarray) and values.ndim == 2
    )
    if not listed or len(values) != 2:
        raise ModelError(
            f"{predictor} must return a pair for return_std=True, means and standard deviations, "
            f"got {type(values).__name__}"
        )
    mean = checked_predictions(values[0], count, named, predictor, "mean")
    std = checked_predictions(values[1], count, named, predictor, "standard deviation")
    if (row := first_true(std < 0)) is not None:
        raise ModelError(
            f"{predictor} must predict standard deviations of at least 0, got {std[row]} for "
            f"{named(row)}"
        )
    return mean, std
