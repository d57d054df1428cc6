"""The shipped zero-cost network: against measured networks, and what it is worth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import kendalltau, spearmanr

from pyg_nas.data.tables.table import Table
from pyg_nas.errors import ModelError
from pyg_nas.features.blocks import ExtraGroup, extended_features
from pyg_nas.features.graph_features import ZERO_COST_GROUP, cell_features
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.graphs.registry import find_space
from pyg_nas.measure.propagation import propagation
from pyg_nas.measure.weight_information import weight_information
from pyg_nas.measure.zero_cost import NUMBERS, zero_cost_numbers
from pyg_nas.predictors import zero_cost
from pyg_nas.predictors.gaussian_process.regressor import GROUPS, GaussianProcess
from pyg_nas.predictors.label_transform import latent_labels
from pyg_nas.predictors.labelled_features import LabelledFeatures
from pyg_nas.predictors.zero_cost import (
    propagation_numbers,
    weight_information_numbers,
    zero_cost_digest,
    zero_cost_features,
)
from pyg_nas.spaces.nasbench101 import nasbench101_cells


def test_zero_cost_features_predict_what_networks_show() -> None:
    """One measurement is noisy: the columns explain most of it, not all."""
    cells = sample_cells(80, seed=17)
    measured = np.stack([zero_cost_numbers(cells[i], seed=i) for i in range(len(cells))])
    told = zero_cost_features(cells, cell_features(cells))
    assert told.shape == (len(cells), len(NUMBERS))
    correlation = [np.corrcoef(measured[:, k], told[:, k])[0, 1] for k in range(len(NUMBERS))]
    assert np.median(correlation) > 0.95
    assert min(correlation) > 0.5


def test_the_smallest_cell_has_zero_cost_features_too() -> None:
    smallest = nasbench101_cells()[:1]
    assert smallest[0].num_vertices == 2
    assert np.isfinite(zero_cost_features(smallest, cell_features(smallest))).all()


def test_numbers_of_nasbench201_order_cells_as_new_networks_do() -> None:
    """They are smoothed measurements; the loss of an untrained network is nearly noise."""
    cells = find_space("nasbench201").support.cells()[::180]
    told = zero_cost_features(cells, cell_features(cells))
    measured = np.stack([zero_cost_numbers(cells[i], seed=10**7 + i) for i in range(len(cells))])
    correlation = [spearmanr(told[:, k], measured[:, k]).statistic for k in range(len(NUMBERS))]
    assert np.median(correlation) > 0.95
    assert sorted(correlation)[1] > 0.5


def test_transnasbench101_has_the_numbers_of_the_same_architectures() -> None:
    small, large = (find_space(name).support for name in ("transnasbench101", "nasbench201"))
    cells = small.cells()[::300]
    texts = [large.format_text(row) for row in small.operations(cells).tolist()]
    twins = large.cells_of_texts(texts)
    here, there = (zero_cost_features(c, cell_features(c)) for c in (cells, twins))
    np.testing.assert_array_equal(here, there)
    assert len(np.unique(here, axis=0)) == len(cells)


def test_spaces_without_numbers_and_damaged_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelError, match="no zero-cost numbers of cells of space 'own'"):
        zero_cost_digest(replace(find_space("nasbench101"), name="own"))
    (tmp_path / "nasbench201_zero_cost.npz").write_bytes(b"PK?")
    monkeypatch.setattr(zero_cost, "zero_cost_path", lambda name: tmp_path / name)
    cells = find_space("nasbench201").support.cells()[:2]
    with pytest.raises(ModelError, match="not a readable"):
        zero_cost_features(cells, cell_features(cells))
    with pytest.raises(ModelError, match="no shipped propagation of cells of space 'nasbench101'"):
        propagation_numbers(sample_cells(2, seed=0))


@pytest.mark.parametrize(
    ("numbers", "measure"),
    [(propagation_numbers, propagation), (weight_information_numbers, weight_information)],
)
def test_shipped_signals_are_those_of_the_cells(
    numbers: Callable[[CellArray], NDArray[np.float32]],
    measure: Callable[[Cell, int], NDArray[np.float64]],
) -> None:
    support = find_space("nasbench201").support
    shipped = numbers(support.cells())
    # Shares of lower cells, averaged over seeds: by column they are 1/2 on average.
    assert ((shipped > 0) & (shipped < 1)).all()
    np.testing.assert_allclose(shipped.mean(axis=0), 0.5, atol=1e-4)
    # Far apart in rank, so that the noise of a network does not exchange them.
    rows = np.array([700, 1900, 2500, 3000, 4300])
    measured = np.array([measure(support.cells()[row], row) for row in rows.tolist()])
    for mine, ranks in zip(measured.T, shipped[rows].T, strict=True):
        apart = np.subtract.outer(ranks, ranks) > 0.4
        assert apart.any()
        assert (np.subtract.outer(mine, mine)[apart] > 0).all()
    small = find_space("transnasbench101").support
    texts = [support.format_text(row) for row in small.operations(small.cells()[::50]).tolist()]
    np.testing.assert_array_equal(
        numbers(small.cells()[::50]), numbers(support.cells_of_texts(texts))
    )


def test_it_helps_to_rank_real_cells(real_table: Table) -> None:
    labels = real_table.label()
    rows = np.random.default_rng(3).permutation(len(real_table))
    train, unseen = rows[:100], rows[1000:4000]
    group = ExtraGroup(ZERO_COST_GROUP, zero_cost_features, zero_cost_digest)
    known, others = (extended_features(real_table.cells[part], [group]) for part in (train, unseen))
    taus = []
    for groups in ((*GROUPS, ZERO_COST_GROUP), GROUPS):
        process = GaussianProcess(groups).fit_features(
            real_table.space, LabelledFeatures(known, latent_labels(labels[train]))
        )
        predicted, _ = process.predict_features(others, with_std=False)
        taus.append(kendalltau(predicted, labels[unseen]).statistic)
    assert taus[0] > taus[1] + 0.01
