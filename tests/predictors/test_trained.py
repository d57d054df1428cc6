"""Model folders: round trips, damage, and evaluation on unseen cells only."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from pyg_nas.data.protocols.labels import LabelPolicy
from pyg_nas.data.protocols.protocol import Protocol
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import ModelError, SettingsError
from pyg_nas.io.callbacks import Callback, Figures
from pyg_nas.metrics.regression import regression_metrics
from pyg_nas.predictors.storage.folder import load_model
from pyg_nas.predictors.storage.header import ModelHeader
from pyg_nas.predictors.trained import TrainedPredictor
from tests.predictors.conftest import FAST


def test_round_trip(model: TrainedPredictor, folder: Path, small_table: Table) -> None:
    loaded = TrainedPredictor.load(folder)
    assert np.array_equal(
        loaded.estimator.predict(small_table), model.estimator.predict(small_table)
    )
    assert loaded.protocol == model.protocol
    assert np.array_equal(loaded.training_hashes, model.training_hashes)
    assert loaded.recipe == "paper"
    assert sorted(path.name for path in folder.iterdir()) == [
        "settings.json",
        "weights.safetensors",
    ]


def test_a_callback_receives_every_epoch_and_the_end(small_table: Table) -> None:
    class Kept(Callback):
        def __init__(self) -> None:
            self.epochs: list[tuple[int, Figures]] = []
            self.end: Figures = {}

        def on_epoch(self, epoch: int, figures: Figures) -> None:
            self.epochs.append((epoch, figures))

        def on_end(self, figures: Figures) -> None:
            self.end = figures

    kept, seen = Kept(), []
    TrainedPredictor.train(
        small_table,
        Protocol(train="60"),
        "paper",
        progress=lambda epoch, loss: seen.append((epoch, {"loss": loss})),
        callback=kept,
        **FAST,
    )
    assert [epoch for epoch, _ in kept.epochs] == list(range(1, FAST["epochs"] + 1))
    assert kept.epochs == seen
    assert kept.end == {"training_cells": 60}


def test_evaluation_leaves_training_cells_out(model: TrainedPredictor, small_table: Table) -> None:
    result = model.evaluate(small_table)
    assert len(result.rows) == 240
    assert result.left_out == 60
    assert not np.isin(small_table.hashes[result.rows], model.training_hashes).any()
    predicted = model.estimator.predict(small_table.cells[result.rows])
    assert result.figures() == regression_metrics(small_table.label()[result.rows], predicted)


def test_an_evaluation_is_a_frame_and_a_table_of_figures(
    model: TrainedPredictor, small_table: Table
) -> None:
    result = model.evaluate(small_table)
    shown = ElementTree.fromstring(result._repr_html_())
    rows = {name.text: value.text for name, value in shown.findall(".//tr")}
    assert rows["kendall tau"] == f"{result.figures()['kendall_tau']:.4g}"
    assert rows["n"] == "240"
    assert str(result.protocol) in "".join(shown.itertext())
    pytest.importorskip("pandas")
    frame = result.to_pandas()
    assert frame["row"].tolist() == result.rows.tolist()
    measured = small_table.label()[frame["row"]]
    assert np.array_equal(frame["measured"], measured)
    predicted = model.estimator.predict(small_table.cells[result.rows])
    assert np.array_equal(frame["predicted"], predicted)


def test_evaluation_keeps_to_the_protocol(small_table: Table) -> None:
    tested = LabelPolicy("test_accuracy", run="mean")
    protocol = Protocol(train="60", evaluate="denoise-78", evaluation_label=tested)
    model = TrainedPredictor.train(small_table, protocol, "paper", **FAST)
    result = model.evaluate(small_table)
    split = model.protocol.apply(small_table)
    assert np.array_equal(result.rows, split.evaluate)
    assert np.array_equal(result.measured, split.evaluate_labels)
    assert result.protocol == model.protocol
    other = model.evaluate(small_table, "all", model.protocol.label)
    assert len(other.rows) == 240
    assert other.protocol.evaluate == "all"
    assert other.protocol.evaluation_label is None


def test_the_best_of_training_times_are_the_shortest(small_table: Table) -> None:
    seconds = LabelPolicy("training_time")
    model = TrainedPredictor.train(
        small_table, Protocol(train="60", label=seconds), "paper", **FAST
    )
    result = model.evaluate(small_table)
    shortest = result.measured[np.argsort(result.predicted, kind="stable")[:10]].min()
    assert result.figures()["best_in_top_10"] == shortest
    assert result.figures()["regret_in_top_10"] == shortest - result.measured.min()
    with pytest.raises(SettingsError, match="the same direction must be better for both labels"):
        model.evaluate(small_table, label=LabelPolicy())


def test_the_unit_of_the_error_is_that_of_all_labels(
    model: TrainedPredictor, small_table: Table
) -> None:
    metrics = small_table.metrics.copy()
    metrics[np.isin(small_table.hashes, model.training_hashes)] *= 10
    metrics[..., 0] /= 1000  # seconds, all below one
    table = Table(small_table.cells, metrics)
    of_seconds = TrainedPredictor.train(
        table, Protocol(train="60", label=LabelPolicy("training_time")), "paper", **FAST
    )
    for trained in (model, of_seconds):
        result = trained.evaluate(table)
        assert result.measured.max() < 1  # as in a table of fractions
        expected = np.mean((result.measured - result.predicted) ** 2)
        assert result.figures()["mse"] == pytest.approx(expected)


def test_evaluation_on_training_cells_alone_is_refused(
    model: TrainedPredictor, small_table: Table
) -> None:
    known = small_table.subset(np.isin(small_table.hashes, model.training_hashes))
    with pytest.raises(SettingsError, match="not trained on"):
        model.evaluate(known)


@pytest.fixture(scope="module")
def seeded(small_table: Table) -> TrainedPredictor:
    return TrainedPredictor.train(
        small_table, Protocol(train="60", split_seed=5), "paper", seed=7, **FAST
    )


def test_the_split_seed_is_that_of_training_and_of_evaluation(
    seeded: TrainedPredictor, small_table: Table
) -> None:
    order = np.random.RandomState(5).permutation(300)
    np.testing.assert_array_equal(seeded.training_hashes, small_table.hashes[order[:60]])
    result = seeded.evaluate(small_table, "100")
    np.testing.assert_array_equal(result.rows, order[60:100])
    assert result.left_out == 60


def test_evaluation_compares_with_the_label_asked_for(
    seeded: TrainedPredictor, small_table: Table
) -> None:
    result = seeded.evaluate(small_table, label=LabelPolicy("test_accuracy", run=1))
    expected = small_table.metrics[result.rows, 3, 1, 1, 3].astype(float)
    np.testing.assert_array_equal(result.measured, expected)


def test_the_seed_reaches_the_estimator_and_the_folder(
    seeded: TrainedPredictor, small_table: Table, tmp_path: Path
) -> None:
    assert seeded.estimator.random_state == 7
    other = TrainedPredictor.train(
        small_table, Protocol(train="60", split_seed=5), "paper", seed=np.int64(8), **FAST
    )
    assert not np.array_equal(
        seeded.estimator.predict(small_table), other.estimator.predict(small_table)
    )
    seeded.save(tmp_path / "m")
    assert TrainedPredictor.load(tmp_path / "m").seed == 7
    other.save(tmp_path / "other")  # a whole number of NumPy becomes one of JSON
    assert TrainedPredictor.load(tmp_path / "other").seed == 8


def test_a_loaded_model_runs_on_the_device_asked_for(
    seeded: TrainedPredictor, tmp_path: Path
) -> None:
    seeded.save(tmp_path / "m")
    assert load_model(tmp_path / "m", "cpu").device == "cpu"
    header = ModelHeader.read(tmp_path / "m")
    for loaded in (
        TrainedPredictor.load(tmp_path / "m", "cpu"),
        TrainedPredictor.from_header(header, "cpu"),
    ):
        assert loaded.estimator.device == "cpu"
        assert loaded.source == str(tmp_path / "m")


def test_settings_without_their_checksum_are_refused(
    seeded: TrainedPredictor, tmp_path: Path
) -> None:
    seeded.save(tmp_path / "m")
    path = tmp_path / "m" / "settings.json"
    settings = json.loads(path.read_text())
    del settings["settings_sha256"], settings["about"]["training_cells"][5:]
    path.write_text(json.dumps(settings))
    with pytest.raises(ModelError, match="its checksum differs"):
        TrainedPredictor.load(tmp_path / "m")


def test_the_name_of_version_0_1_stays() -> None:
    from pyg_nas.predictors import Model

    assert Model is TrainedPredictor
