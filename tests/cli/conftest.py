"""A table and models for the commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyg_nas.data.tables.table import Table
from tests.cli.command import pyg_nas


@pytest.fixture(scope="session")
def table_path(small_table: Table, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tables") / "small.hdf5"
    small_table.save(path)
    return path


@pytest.fixture(scope="session")
def model_path(table_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "model"
    arguments = ("train", table_path, "--split", 172, "--out", path)
    assert pyg_nas(*arguments, "--recipe", "paper", "--epochs", 2, "--lr", 1e-3) == 0
    return path


@pytest.fixture(scope="session")
def seeded(table_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with no option at its default."""
    path = tmp_path_factory.mktemp("models") / "model"
    arguments = ("train", table_path, "--split", 60, "--split-seed", 3, "--seed", 5, "--out", path)
    assert pyg_nas(*arguments, "--recipe", "paper", "--epochs", 2, "--run", 1) == 0
    return path
