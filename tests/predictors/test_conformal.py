"""Conformal quantiles by hand."""

from __future__ import annotations

import pytest

from pyg_nas.errors import SettingsError
from pyg_nas.predictors.conformal import conformal_quantile


def test_conformal_quantile_by_hand() -> None:
    sizes = [3.0, 1.0, 2.0, 4.0]
    assert conformal_quantile(sizes, 0.5) == 3.0  # the ceil(5 * 0.5) = 3rd smallest
    assert conformal_quantile(sizes, 0.8) == 4.0
    with pytest.warns(UserWarning, match="4 residuals are too few for intervals of 99 %"):
        assert conformal_quantile(sizes, 0.99) == 4.0
    with pytest.raises(SettingsError):
        conformal_quantile([], 0.5)
