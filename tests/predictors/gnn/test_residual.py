"""Residual networks: members, their training, what they leave out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pyg_nas.errors import ModelError
from pyg_nas.features import blocks as cell_blocks
from pyg_nas.features.graph_features import (
    cell_features,
)
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.nn.dense_residual import DenseResidualInputs, dense_residual
from pyg_nas.nn.residual_gnn import ResidualGNN, mask_shapes
from pyg_nas.predictors.gnn.residual import ResidualGNNRegressor, _epochs, _width
from pyg_nas.predictors.labelled_features import LabelledFeatures
from pyg_nas.predictors.storage.folder import load_model, save_model
from pyg_nas.predictors.storage.state import read_state, write_state

CELLS = sample_cells(400, seed=0)


SIZE = np.log(CELLS.trainable_parameters())


Y = 0.9 + 0.02 * (SIZE - SIZE.mean()) + np.random.default_rng(0).normal(0, 0.004, 400)


def test_networks_of_one_cell() -> None:
    fitted = ResidualGNNRegressor(3, hidden=8, epochs=200).fit(CELLS[:1], Y[:1])
    np.testing.assert_allclose(fitted.predict(CELLS[:1]), Y[:1], atol=0.1)


def test_members_leave_out_what_they_predict() -> None:
    fitted = ResidualGNNRegressor(3, hidden=8, epochs=2).fit(CELLS[:100], Y[:100])
    assert len(set(fitted.held_out_.tolist())) == 30
    members = fitted.predict_features(CELLS[:100], _features(CELLS[:100]))
    expected = members[np.repeat([0, 1, 2], 10), fitted.held_out_]
    np.testing.assert_allclose(fitted.held_out_prediction_, expected, rtol=1e-5)


def test_members_are_those_of_their_own_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Padding and other cells of the batch have no influence, nor has how many go at once."""
    monkeypatch.setattr(cell_blocks, "FEATURE_BLOCK", 7)
    fitted = ResidualGNNRegressor(2, hidden=8, epochs=2).fit(CELLS[:60], Y[:60])
    together = fitted.predict(CELLS[:20])
    alone = np.concatenate([fitted.predict(CELLS[[i]]) for i in range(20)])
    np.testing.assert_allclose(together, alone, rtol=1e-5)


def test_members_of_a_fit_do_not_change_with_the_setting() -> None:
    fitted = ResidualGNNRegressor(3, hidden=8, epochs=2).fit(CELLS[:60], Y[:60])
    mean, std = fitted.predict(CELLS[60:80], return_std=True)
    again = fitted.set_params(ensemble_size=1).predict(CELLS[60:80], return_std=True)
    np.testing.assert_array_equal(again, [mean, std])


def test_equal_cells_are_tied_wherever_they_stand() -> None:
    """Also where the last bits of a matrix product depend on the row."""
    y = CELLS.trainable_parameters() / 5e7
    model = ResidualGNNRegressor(ensemble_size=2, epochs=2).fit(CELLS[:60], y[:60])
    rows = np.random.default_rng(0).integers(0, 40, 1_500)
    for numbers in (model.predict(CELLS[rows]), *model.predict(CELLS[rows], return_std=True)):
        by_cell = np.zeros(40)
        by_cell[rows] = numbers
        np.testing.assert_array_equal(by_cell[rows], numbers)


def test_several_labels_of_a_cell_are_learned_together(tmp_path: Path) -> None:
    pair = np.stack([Y, 30 - 7 * CELLS.num_edges], axis=1)
    settings = {"hidden": 16, "epochs": 30, "dropout": 0.0}
    fitted = ResidualGNNRegressor(2, **settings).fit_features(
        CELLS[:150], LabelledFeatures(_features(CELLS[:150]), pair[:150])
    )
    members = fitted.predict_features(CELLS[150:], _features(CELLS[150:]))
    assert members.shape == (2, 250, 2)
    assert fitted.held_out_prediction_.shape == (30, 2)
    for label in (0, 1):
        assert np.corrcoef(members[..., label].mean(axis=0), pair[150:, label])[0, 1] > 0.8
    save_model(fitted, tmp_path / "m")
    loaded = load_model(tmp_path / "m")
    again = loaded.predict_features(CELLS[150:], _features(CELLS[150:]))
    np.testing.assert_allclose(again, members, rtol=1e-9)
    # One column alone is the same training as a plain vector, but for its shape.
    column, vector = (
        ResidualGNNRegressor(1, hidden=8, epochs=2).fit_features(
            CELLS, LabelledFeatures(_features(CELLS), y)
        )
        for y in (Y[:, None], Y)
    )
    np.testing.assert_allclose(
        column.held_out_prediction_[:, 0], vector.held_out_prediction_, rtol=1e-9
    )


def test_networks_whose_numbers_do_not_fit_are_refused() -> None:
    settings = {"ensemble_size": 1, "hidden": 8, "epochs": 2}
    tensors, values = read_state(ResidualGNNRegressor(**settings).fit(CELLS[:30], Y[:30]))
    write_state(ResidualGNNRegressor(**settings), tensors, values)
    for name in ("std", "scale", "vertex_scale"):
        wrong = {**tensors, name: torch.ones(2)}
        with pytest.raises(ModelError, match=rf"{name} must be \(.*\), got \(2,\)"):
            write_state(ResidualGNNRegressor(**settings), wrong, values)
    with pytest.raises(ModelError, match="lacks scale"):
        write_state(
            ResidualGNNRegressor(**settings),
            {name: tensor for name, tensor in tensors.items() if name != "scale"},
            values,
        )
    with pytest.raises(ModelError, match="version"):
        write_state(ResidualGNNRegressor(**settings), tensors, {**values, "feature_version": 1})


def _features(cells: CellArray) -> object:
    from pyg_nas.features.graph_features import cell_features

    return cell_features(cells)


def test_a_member_never_trains_on_what_it_leaves_out() -> None:
    one = ResidualGNNRegressor(1, hidden=8, epochs=5).fit(CELLS[:60], Y[:60])
    # Other labels of the cells left out, of the same mean and spread.
    moved = Y[:60].copy()
    moved[one.held_out_] = np.roll(moved[one.held_out_], 1)
    other = ResidualGNNRegressor(1, hidden=8, epochs=5).fit(CELLS[:60], moved)
    np.testing.assert_array_equal(other.held_out_, one.held_out_)
    for a, b in zip(one.network_.parameters(), other.network_.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.engine
def test_residual_training_equals_a_plain_loop() -> None:
    """torch's own AdamW and schedule, one batch after the other, gradients zeroed."""
    cells, y = CELLS[:60], Y[:60]
    settings = {"hidden": 8, "epochs": 4, "batch_size": 16, "weight_decay": 0.5}
    fitted = ResidualGNNRegressor(1, **settings, random_state=3, device="cpu").fit(cells, y)
    graphs = fitted._graphs(cells, cell_features(cells))
    inputs = DenseResidualInputs.from_graphs(graphs)
    target = torch.as_tensor((y - y.mean()) / y.std(), dtype=torch.float32)
    torch.manual_seed(3)
    columns = graphs.vertices.shape[2], graphs.graph.shape[1]
    plain = ResidualGNN(1, *columns, 1, hidden=8, depth=3, dropout=0.1)
    shuffler = torch.Generator().manual_seed(3)
    kept = torch.randperm(60, generator=shuffler)[6:]  # a tenth is left out
    groups = ([], [])
    for parameter in plain.parameters():
        groups[parameter.shape[1] == 1].append(parameter)
    optimizer = torch.optim.AdamW(
        [{"params": groups[0], "weight_decay": 0.5}, {"params": groups[1], "weight_decay": 0.0}],
        lr=2e-3,
        betas=(0.9, 0.99),
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 2e-3, total_steps=4 * 3, pct_start=0.15
    )
    for _ in range(4):
        order = kept[torch.randperm(54, generator=shuffler)]
        for index in order[:48].split(16):
            optimizer.zero_grad()
            keep = [torch.empty(shape).bernoulli_(0.9) for shape in mask_shapes(plain, 16, 16 * 7)]
            predicted = dense_residual(plain, inputs.select(index[None]), keep)[0, :, 0]
            torch.nn.functional.mse_loss(predicted, target[index]).backward()
            optimizer.step()
            schedule.step()
    for a, b in zip(fitted.network_.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-5)


def test_fitting_leaves_torchs_global_generator_alone() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    ResidualGNNRegressor(1, hidden=8, epochs=1, device="cpu").fit(CELLS[:20], Y[:20])
    assert torch.equal(torch.get_rng_state(), before)


def test_width_and_epochs_follow_the_number_of_cells() -> None:
    # 32 (N / 172)^(1/3) in steps of 8, and at most 200 epochs for few cells.
    assert [_width(n) for n in (20, 172, 8 * 172, 10**6)] == [32, 32, 64, 128]
    # 200 (172 / N)^0.3 up to 424 cells, then a steeper fall from the same value, to 60.
    assert [_epochs(n) for n in (20, 172, 300, 424, 425)] == [200, 200, 169, 153, 153]
    assert [_epochs(n) for n in (1000, 2000, 10**6)] == [77, 60, 60]
    heard: list[int] = []
    ResidualGNNRegressor(1, hidden=8, progress=lambda epoch, loss: heard.append(epoch)).fit(
        CELLS[:20], Y[:20]
    )
    assert heard[-1] == 200
