"""Compiled weighted inputs of a Gaussian process."""

from __future__ import annotations

import numpy as np

from pyg_nas.engine.numba_inputs import weighted_inputs


def test_inputs_are_those_of_array_operations_to_the_last_bit() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(scale=3, size=(300, 50)).astype(np.float32)
    features[:, 7] = 0.5
    columns = rng.permutation(50)[:37]
    centre, weights = rng.normal(size=(2, 37))
    scale = rng.uniform(1e-3, 2, 37)
    standard = ((features[:, columns] - centre) / scale).clip(-5, 5)
    found = weighted_inputs(features, columns, centre, scale, weights, 5.0)
    assert (np.abs(standard) == 5).any()
    np.testing.assert_array_equal(found, standard * weights)
