"""Intervals: coverage, pairing and significance."""

from __future__ import annotations

import numpy as np
import pytest

from pyg_nas.errors import SettingsError
from pyg_nas.metrics.intervals import (
    mean_interval,
    paired_difference,
)


def test_interval_is_students() -> None:
    # t(0.975; 4) = 2.776, standard deviation sqrt(2.5).
    found = mean_interval([1.0, 2.0, 3.0, 4.0, 5.0])
    half = 2.776445 * np.sqrt(2.5 / 5)
    assert (found.low, found.mean, found.high) == pytest.approx((3 - half, 3, 3 + half))
    assert found.claims
    assert found.to_dict()["n"] == 5


def test_pairing_finds_what_the_seeds_spread_hides() -> None:
    rng = np.random.default_rng(1)
    seeds = rng.normal(0.0, 1.0, 30)
    better, worse = seeds + 0.1, seeds + rng.normal(0.0, 0.02, 30)
    assert paired_difference(better, worse).claims
    assert not paired_difference(better, rng.permutation(worse)).claims
    assert paired_difference(worse, better).high < 0


def test_no_claim_where_the_interval_contains_zero() -> None:
    assert not paired_difference([1.0, 2.0, 3.0, 4.0], [2.0, 1.0, 4.0, 3.0]).claims
    same = paired_difference([1.0, 2.0], [1.0, 2.0])
    assert (same.low, same.high, same.claims) == (0.0, 0.0, False)
    constant = mean_interval([2.0, 2.0, 2.0])
    assert (constant.low, constant.high) == (2.0, 2.0)


def test_false_claims_are_as_rare_as_promised() -> None:
    rng = np.random.default_rng(2)
    claims = [mean_interval(rng.normal(0, 1, 5), 0.9).claims for _ in range(2_000)]
    assert np.mean(claims) == pytest.approx(0.1, abs=0.025)  # 3.7 standard errors


def test_invalid_values_are_named() -> None:
    with pytest.raises(SettingsError, match="at least 2"):
        mean_interval([1.0])
    with pytest.raises(SettingsError, match="finite"):
        mean_interval([1.0, float("nan")])
    with pytest.raises(SettingsError, match="same seeds"):
        paired_difference([1.0, 2.0], [1.0, 2.0, 3.0])
