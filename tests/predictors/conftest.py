"""A small model and its folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyg_nas.data.protocols.protocol import Protocol
from pyg_nas.data.tables.table import Table
from pyg_nas.predictors.trained import TrainedPredictor

FAST = {"hidden": 8, "epochs": 2}
"""Settings of the recipe paper."""


@pytest.fixture(scope="module")
def model(small_table: Table) -> TrainedPredictor:
    return TrainedPredictor.train(small_table, Protocol(train="60"), "paper", **FAST)


@pytest.fixture
def folder(model: TrainedPredictor, tmp_path: Path) -> Path:
    model.save(tmp_path / "model")
    return tmp_path / "model"
