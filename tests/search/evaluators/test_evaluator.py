"""Searches whose architectures the user's own code trains."""

from __future__ import annotations

import numpy as np
import pytest

from pyg_nas.errors import SettingsError
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.search.domain import Domain
from pyg_nas.search.evaluators.evaluator import ExternalEvaluator


def test_parameters_are_official_unless_the_user_counts_its_own() -> None:
    cells = sample_cells(5, seed=0)
    domain = Domain(cells.space, cells)
    official = ExternalEvaluator(domain)
    np.testing.assert_array_equal(official.parameters(cells), cells.trainable_parameters())
    np.testing.assert_array_equal(official.macs(cells), cells.macs())

    def vertices(cells: CellArray) -> np.ndarray:
        return cells.num_vertices.astype(np.int64)

    own = ExternalEvaluator(domain, vertices)
    np.testing.assert_array_equal(own.parameters(cells), cells.num_vertices)
    assert own.macs(cells) is None  # of the user's networks they are not known


def test_only_the_user_can_train_and_build() -> None:
    cells = sample_cells(1, seed=0)
    evaluator = ExternalEvaluator(Domain(cells.space, cells))
    with pytest.raises(SettingsError, match="are trained by the user's code"):
        evaluator.evaluate(cells[0])
    with pytest.raises(SettingsError, match="are built by the user's code"):
        evaluator.network(cells[0])
