"""Left out predictions, against solutions without the left out rows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pyg_nas.predictors.gaussian_process.leave_one_out import halves_of_graphs, left_out_errors

GRAPHS = np.array([0, 1, 2, 1, 3, 1, 4, 0])


@pytest.mark.parametrize("copies", [False, True])
def test_errors_are_those_of_a_process_without_the_graph(copies: bool) -> None:
    random = np.random.default_rng(0)
    root = random.normal(size=(8, 8))
    covariance, targets = root @ root.T + np.eye(8), random.normal(size=8)
    factor = torch.linalg.cholesky(torch.from_numpy(covariance))
    inverse = np.linalg.inv(covariance)
    graphs = GRAPHS if copies else np.arange(8)
    errors, variances = left_out_errors(
        factor,
        torch.from_numpy(inverse @ targets),
        torch.from_numpy(inverse.diagonal().copy()),
        np.repeat(graphs[:, None], 4, axis=1) if copies else None,
    )
    for row in range(8):
        rest = graphs != graphs[row]
        weights = np.linalg.solve(covariance[np.ix_(rest, rest)], covariance[rest, row])
        assert errors[row] == pytest.approx(targets[row] - weights @ targets[rest])
        variance = covariance[row, row] - weights @ covariance[rest, row]
        assert variances[row] == pytest.approx(variance)


def test_halves_have_no_graph_in_common() -> None:
    order = np.random.default_rng(0).permutation(8)
    first, second = halves_of_graphs(GRAPHS.astype("S32"), order)
    assert sorted([*first, *second]) == list(range(8))
    assert not set(GRAPHS[first]) & set(GRAPHS[second])
    assert len(set(GRAPHS[first])) == 2
    plain = halves_of_graphs(None, order)
    np.testing.assert_array_equal(np.concatenate(plain), order)
    np.testing.assert_array_equal(halves_of_graphs(np.arange(8).astype("S32"), order), plain)
    alone, rest = halves_of_graphs(np.zeros(3, "S32"), np.arange(3))
    assert len(alone) == 0
    assert len(rest) == 3
