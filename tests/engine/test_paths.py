"""The activation is chosen in nn/ alone: with another one, every path gives the new
network's numbers."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch

from pyg_nas.engine.paths import use_compiled
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.nn.conv import BiGCNConv
from pyg_nas.nn.residual_gnn import ResidualGNN
from pyg_nas.predictors.gnn.gcn import GCNRegressor
from pyg_nas.predictors.gnn.residual import ResidualGNNRegressor
from pyg_nas.spaces.nasbench101 import nasbench101_cells

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def cells() -> CellArray:
    return nasbench101_cells()[np.arange(0, 400_000, 10_000)]


@pytest.fixture(scope="module")
def y(cells: CellArray) -> np.ndarray:
    return cells.trainable_parameters() / 5e7


def test_one_edit_changes_the_gcn_everywhere(
    cells: CellArray, y: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fitted(backend: str) -> Any:
        return GCNRegressor(8, head=8, epochs=3, device="cpu", backend=backend).fit(cells, y)

    before = fitted("auto").predict(cells)
    monkeypatch.setattr(BiGCNConv, "activation", staticmethod(torch.tanh))
    expected = fitted("sparse")  # trained and run by the reference
    assert np.abs(expected.predict(cells) - before).max() > 1e-4
    for backend in ("auto", "dense"):
        np.testing.assert_allclose(
            fitted(backend).predict(cells), expected.predict(cells), atol=1e-5
        )
    # The whole space is scored by compiled shared terms where the activation is theirs.
    by_space = copy.copy(expected).set_params(backend="auto").predict(nasbench101_cells())
    np.testing.assert_allclose(by_space[::10_000][:40], expected.predict(cells), atol=1e-5)


def test_one_edit_changes_the_residual_network_everywhere(
    cells: CellArray, y: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fitted() -> np.ndarray:
        model = ResidualGNNRegressor(2, 8, epochs=3, device="cpu", random_state=1)
        return np.asarray(model.fit(cells, y).predict(cells))

    before = fitted()
    monkeypatch.setattr(ResidualGNN, "activation", staticmethod(torch.tanh))
    found = fitted()
    assert np.abs(found - before).max() > 1e-4
    # By torch on purpose: nothing compiled has a part in it.
    monkeypatch.setenv("PYG_NAS_ENGINE", "torch")
    np.testing.assert_allclose(found, fitted(), atol=1e-6)


def test_another_activation_or_device_is_for_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYG_NAS_ENGINE", raising=False)
    cpu = torch.device("cpu")
    assert use_compiled(cpu, [torch.relu, torch.relu])
    assert not use_compiled(cpu, [torch.relu, torch.tanh])
    assert not use_compiled(torch.device("cuda"), [torch.relu])


def test_the_environment_switches_compiled_code_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYG_NAS_ENGINE", "torch")
    assert not use_compiled(torch.device("cpu"), [torch.relu])
