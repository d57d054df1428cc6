"""The recipe transfer: the line of the scores, what labels add, and where it must be silent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kendalltau

from pyg_nas.data.labels import LabelPolicy
from pyg_nas.data.shipped import shipped_table
from pyg_nas.errors import ModelError
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.graphs.registry import find_space
from pyg_nas.predictors import load_model, make_estimator, save_model, transfer_regressor
from pyg_nas.predictors.common_process import transfer_scores
from pyg_nas.predictors.transfer_regressor import TransferRegressor

CELLS = sample_cells(300, 0, find_space("nasbench201").support.cells())
SCORES = transfer_scores(CELLS)


def fitted(labels: np.ndarray, n: int) -> TransferRegressor:
    return make_estimator("transfer").fit(CELLS[:n], labels[:n])


def test_few_labels_keep_the_transferred_ranking() -> None:
    noise = np.random.default_rng(0).normal(scale=0.5, size=len(SCORES))
    labels = 0.9 + 0.02 * (SCORES + noise)
    model = fitted(labels, 8)
    assert kendalltau(model.predict(CELLS[8:]), SCORES[8:]).statistic > 0.8
    assert model.slope_ > 0


def test_labels_that_contradict_turn_the_line() -> None:
    model = fitted(-SCORES, 60)
    assert model.slope_ < 0
    assert kendalltau(model.predict(CELLS[60:]), -SCORES[60:]).statistic > 0.8


def test_it_is_stored_and_names_its_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = fitted(SCORES**3, 20)
    save_model(model, tmp_path / "m")
    again = load_model(tmp_path / "m")
    for one, other in zip(
        model.predict(CELLS[:9], return_std=True),
        again.predict(CELLS[:9], return_std=True),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, rtol=1e-6)
    monkeypatch.setattr(transfer_regressor, "common_digest", lambda: "other")
    with pytest.raises(ModelError, match="another version of the shipped tables"):
        load_model(tmp_path / "m")


def test_labels_of_a_shipped_table_get_no_transfer() -> None:
    table = shipped_table("nasbench201_digits.hdf5")
    labels = table.label(LabelPolicy(run="mean", resample_below=None))
    assert make_estimator("transfer").fit(table.cells, 100 * labels).slope_ == 0
