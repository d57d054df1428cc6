"""What a model folder says before its weights are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pyg_nas.data.protocols.protocol import Protocol
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import ModelError
from pyg_nas.graphs.registry import find_space
from pyg_nas.predictors.storage.folder import save_model
from pyg_nas.predictors.storage.header import ModelHeader
from pyg_nas.predictors.trained import TrainedPredictor
from pyg_nas.spaces.modules.space import NETWORKS

SETTINGS = {
    "paper": {"hidden": 8, "epochs": 1},
    "fast": {},
    "two-stage": {"regressor__epochs": 1, "classifier__epochs": 1},
}


@pytest.mark.parametrize("recipe", SETTINGS)
def test_a_header_is_that_of_the_loaded_model(
    recipe: str, small_table: Table, tmp_path: Path
) -> None:
    TrainedPredictor.train(small_table, Protocol("40"), recipe, **SETTINGS[recipe]).save(tmp_path)
    header, loaded = ModelHeader.read(tmp_path), TrainedPredictor.load(tmp_path)
    assert header.space == loaded.estimator.space_ == small_table.space
    assert (header.recipe, header.seed) == (recipe, 0)
    assert header.require_protocol() == loaded.protocol
    header.check_space(small_table.space)
    for other, found in ((find_space("nasbench201"), "operations"), (NETWORKS, "got whole")):
        with pytest.raises(ModelError, match=found):
            header.check_space(other)
    np.testing.assert_array_equal(header.training_hashes, loaded.training_hashes)


def test_an_estimator_alone_has_a_space_and_no_protocol(small_table: Table, tmp_path: Path) -> None:
    model = TrainedPredictor.train(small_table, Protocol("40"), "paper", **SETTINGS["paper"])
    save_model(model.estimator, tmp_path)
    header = ModelHeader.read(tmp_path)
    assert (header.recipe, header.space) == ("GCNRegressor", small_table.space)
    with pytest.raises(ModelError, match="saved without a protocol"):
        header.require_protocol()
