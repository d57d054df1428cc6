"""Which extra features a model has, and the shipped data behind them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pyg_nas.data.tables.shipped import shipped_table
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import ModelError
from pyg_nas.features.graph_features import TRANSFER_GROUP, ZERO_COST_GROUP
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.predictors.extra_features import EXTRA_GROUPS
from pyg_nas.predictors.hybrid import HybridRegressor
from pyg_nas.predictors.recipes import make_estimator
from pyg_nas.predictors.storage.folder import load_model, save_model
from pyg_nas.predictors.transfer.digits import transfer_digest
from pyg_nas.predictors.zero_cost import zero_cost_digest

CELLS = sample_cells(40, seed=0)
Y = np.log(CELLS.trainable_parameters())


def test_the_shipped_labels_are_not_predicted_from_themselves() -> None:
    """However X holds the cells: the labels' content decides."""
    part = shipped_table().subset(slice(0, 30))
    labels = part.label()
    other = Table(part.cells, part.metrics, part.budgets, about={"task": "other"})
    fast = make_estimator("fast")
    for X in (part, part.cells, other, list(part.cells)):
        assert TRANSFER_GROUP not in fast.fit(X, labels).extra_features_
    own = np.log(part.cells.trainable_parameters()) + np.random.default_rng(0).normal(size=30)
    assert TRANSFER_GROUP in fast.fit(part, own).extra_features_
    assert TRANSFER_GROUP not in HybridRegressor(ensemble_size=0).fit(part, own).extra_features_


@pytest.mark.parametrize("group", [ZERO_COST_GROUP, TRANSFER_GROUP])
def test_a_model_of_other_shipped_data_is_refused(
    group: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted = HybridRegressor(ensemble_size=0, transfer=True).fit(CELLS, Y)
    save_model(fitted, tmp_path / "m")
    load_model(tmp_path / "m")
    other = replace(EXTRA_GROUPS[group], digest=lambda space: "0" * 16)
    monkeypatch.setitem(EXTRA_GROUPS, group, other)
    with pytest.raises(ModelError, match=f"another version of the shipped {group} data"):
        load_model(tmp_path / "m")


def test_extra_groups_name_the_data_behind_them() -> None:
    fitted = HybridRegressor(0, transfer=True).fit(CELLS, Y)
    expected = {ZERO_COST_GROUP: zero_cost_digest(CELLS.space), TRANSFER_GROUP: transfer_digest()}
    assert fitted.extra_features_ == expected
    here = {name: EXTRA_GROUPS[name].digest(CELLS.space) for name in expected}
    assert here == expected
