"""Model folders: written whole, and checked on reading."""

from __future__ import annotations

import errno
import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file
from sklearn.base import BaseEstimator

from pyg_nas.data.protocols.protocol import Protocol
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import ModelError, SettingsError
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.predictors.gnn.gcn import GCNClassifier, GCNRegressor
from pyg_nas.predictors.storage import folder as storage
from pyg_nas.predictors.storage import registry
from pyg_nas.predictors.storage.folder import (
    check_model_folder,
    load_model,
    save_model,
    settings_checksum,
)
from pyg_nas.predictors.storage.state import Array, FittedState
from pyg_nas.predictors.trained import TrainedPredictor
from tests.predictors.conftest import FAST


def test_saving_replaces_an_earlier_model(
    model: TrainedPredictor, folder: Path, small_table: Table
) -> None:
    other = TrainedPredictor.train(small_table, Protocol(train="61"), "paper", seed=1, **FAST)
    other.save(folder)
    assert len(TrainedPredictor.load(folder).training_hashes) == 61


@pytest.mark.parametrize("method", ["write_text", "write_bytes"])
def test_a_full_disk_leaves_the_earlier_model(
    model: TrainedPredictor,
    folder: Path,
    small_table: Table,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    other = TrainedPredictor.train(small_table, Protocol(train="61"), "paper", seed=1, **FAST)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, method, full)
    with pytest.raises(OSError, match="No space left"):
        other.save(folder)
    monkeypatch.undo()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_failed_save_leaves_the_folder_as_it_was(folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(
        Exception, match=r"GCNRegressor cannot be stored: no attribute members_.*not fitted"
    ):
        save_model(GCNRegressor(), folder)
    with pytest.raises(ModelError, match="cannot be stored"):
        save_model(object(), folder)
    model = load_model(folder)
    for value in (math.nan, object()):
        with pytest.raises(ModelError, match="about must be of JSON values: "):
            save_model(model, folder, {"value": value})
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize("found", [np.ones((3, 1)), np.array([1.0, np.nan]), np.array(["a"])])
def test_a_model_that_could_not_be_read_is_not_stored(
    found: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Listed(BaseEstimator):
        fitted_state = FittedState(arrays={"found": Array("float64", ("d",))})

        def predict(self, cells: Any) -> Any:
            return np.zeros(len(cells))

    monkeypatch.setattr(registry, "_registered", {})
    registry.register_estimator(Listed)
    estimator = Listed()
    estimator.found_ = found
    with pytest.raises(ModelError, match="Listed cannot be stored"):
        save_model(estimator, tmp_path / "model")
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("name", ["settings.json", "weights.safetensors"])
def test_a_pipe_in_the_place_of_a_file_is_refused_before_training(
    name: str, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(SettingsError, match=f"{name}: is a pipe"):
        check_model_folder(tmp_path)


def test_settings_of_something_else_are_refused_before_training(tmp_path: Path) -> None:
    """Such as those of a trained network, which has weights of the same name."""
    (tmp_path / "weights.safetensors").write_bytes(b"")
    for text, replaced in (('{"model": {}}', True), ("{", True), ('{"cell": {}}', False)):
        (tmp_path / "settings.json").write_text(text)
        if replaced:
            assert check_model_folder(tmp_path)
        else:
            with pytest.raises(ModelError, match="exists and is not of a model"):
                check_model_folder(tmp_path)


def test_an_empty_name_is_not_the_working_folder() -> None:
    with pytest.raises(SettingsError, match="the name of the folder is empty"):
        check_model_folder("")


def test_saved_files_have_the_usual_permissions(folder: Path) -> None:
    """A folder on a shared disk is for the whole group, not for its writer alone."""
    usual = folder / "usual"
    usual.touch()
    for path in folder.iterdir():
        assert path.stat().st_mode == usual.stat().st_mode, path.name


def test_classifier_round_trip(small_table: Table, tmp_path: Path) -> None:
    above = small_table.label() > np.median(small_table.label())
    weights = {False: 1.0, True: 3.0}  # whose names JSON would turn into texts
    classifier = GCNClassifier(**FAST, class_weight=weights).fit(small_table.cells, above)
    save_model(classifier, tmp_path / "m")
    loaded = load_model(tmp_path / "m")
    assert loaded.class_weight == weights
    assert np.array_equal(loaded.predict(small_table), classifier.predict(small_table))
    names = np.where(above, "good", "bad")
    named = {"good": np.int64(3), "bad": np.float32(1)}
    save_model(
        GCNClassifier(**FAST, class_weight=named).fit(small_table.cells, names), tmp_path / "n"
    )
    assert load_model(tmp_path / "n").class_weight == named


@pytest.mark.parametrize("name", ["settings.json", "weights.safetensors"])
def test_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ModelError, match=name):
        TrainedPredictor.load(folder)


def test_flipped_bit_in_the_weights_is_noticed(folder: Path) -> None:
    weights = folder / "weights.safetensors"
    raw = bytearray(weights.read_bytes())
    raw[-1] ^= 1
    weights.write_bytes(raw)
    with pytest.raises(ModelError, match="checksum"):
        TrainedPredictor.load(folder)


@pytest.mark.parametrize(
    "path",
    [
        ("format",),
        ("weights_sha256",),
        ("model", "class"),
        ("model", "arguments"),
        ("model", "arguments", "depth"),
        ("model", "values"),
        ("model", "values", "space"),
        ("model", "values", "hidden"),
        ("model", "values", "num_members"),
        ("model", "values", "mean"),
        ("about", "protocol"),
        ("about", "training_cells"),
    ],
)
@pytest.mark.parametrize("value", [None, "os.system", -1, {}, [1]])
def test_tampered_settings_are_refused(folder: Path, path: tuple, value: object) -> None:
    if (path, value) == (("model", "values", "mean"), -1):
        pytest.skip("-1 is a possible mean")
    settings = json.loads((folder / "settings.json").read_text())
    part = settings
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    (folder / "settings.json").write_text(json.dumps(settings))
    with pytest.raises(ModelError):
        TrainedPredictor.load(folder)
    # Nor if the checksum was corrected.
    settings["settings_sha256"] = settings_checksum(settings)
    (folder / "settings.json").write_text(json.dumps(settings))
    with pytest.raises(ModelError):
        TrainedPredictor.load(folder)


def test_a_changed_number_in_the_settings_is_noticed(folder: Path) -> None:
    path = folder / "settings.json"
    settings = json.loads(path.read_text())
    del settings["about"]["training_cells"][5:]
    path.write_text(json.dumps(settings))
    with pytest.raises(ModelError, match="its checksum differs"):
        TrainedPredictor.load(folder)


def test_two_that_save_to_one_folder_leave_one_of_their_models(
    small_table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells, y = small_table.cells[:40], small_table.label()[:40]
    one, two = (
        GCNRegressor(hidden=4, epochs=1, random_state=seed, device="cpu").fit(cells, y)
        for seed in (1, 2)
    )
    replace = Path.replace

    def meanwhile(self: Path, target: Path) -> Path:
        monkeypatch.setattr(Path, "replace", replace)
        renamed = self.replace(target)
        assert renamed.name == "weights.safetensors"
        save_model(two, tmp_path / "m")
        return renamed

    monkeypatch.setattr(Path, "replace", meanwhile)
    save_model(one, tmp_path / "m")
    np.testing.assert_array_equal(load_model(tmp_path / "m").predict(cells), one.predict(cells))


OLD_FOLDERS = Path(__file__).parent / "format_2"


@pytest.mark.parametrize("name", sorted(p.name for p in OLD_FOLDERS.iterdir() if p.is_dir()))
def test_folders_of_version_0_1_are_read(name: str) -> None:
    expected = json.loads((OLD_FOLDERS / "predictions.json").read_text())[name]
    model = load_model(OLD_FOLDERS / name, device="cpu")
    assert type(model).__name__ == name.replace("Best", "Hybrid")
    np.testing.assert_allclose(model.predict(sample_cells(20, seed=0)), expected, rtol=1e-6)


def test_a_folder_of_version_0_1_can_be_saved_again(tmp_path: Path) -> None:
    model = load_model(OLD_FOLDERS / "BestRegressor", device="cpu")
    assert model.transfer
    assert list(model.extra_features_) == ["zero-cost", "transfer"]
    save_model(model, tmp_path / "m")
    again, cells = load_model(tmp_path / "m", device="cpu"), sample_cells(20, seed=0)
    np.testing.assert_array_equal(again.predict(cells), model.predict(cells))


def forge(folder: Path, shapes: dict[str, list[int]]) -> None:
    """Write sparse weights of zeros with these shapes, and settings that agree with their size."""
    header, end = {}, 0
    for name, shape in shapes.items():
        start, end = end, end + 4 * math.prod(shape)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    with (folder / "weights.safetensors").open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)
    settings = json.loads((folder / "settings.json").read_text())
    settings["weights_bytes"] = 8 + len(text) + end
    settings["settings_sha256"] = settings_checksum(settings)
    (folder / "settings.json").write_text(json.dumps(settings))


@pytest.mark.parametrize("forged", ["more", "first"])
def test_forged_weights_are_refused_by_their_header(
    folder: Path, monkeypatch: pytest.MonkeyPatch, forged: str
) -> None:
    stored = load_file(folder / "weights.safetensors")
    shapes = {key: list(tensor.shape) for key, tensor in stored.items()}
    name = forged if forged == "more" else next(iter(shapes))
    forge(folder, {**shapes, name: [2**15, 2**15 - 1]})
    read: list[int] = []
    monkeypatch.setattr(storage, "sha256", lambda content: read.append(len(content)))
    monkeypatch.setattr(storage, "settings_checksum", lambda settings: settings["settings_sha256"])
    with pytest.raises(ModelError, match="weights"):
        load_model(folder)
    assert read == []


def test_arrays_of_more_cells_than_were_trained_on_are_refused(
    small_table: Table, tmp_path: Path
) -> None:
    trained = TrainedPredictor.train(small_table, Protocol(train="30"), "small-gp")
    trained.save(tmp_path / "gp")
    load_model(tmp_path / "gp")
    settings = json.loads((tmp_path / "gp" / "settings.json").read_text())
    settings["about"]["training_cells"].pop()
    settings["settings_sha256"] = settings_checksum(settings)
    (tmp_path / "gp" / "settings.json").write_text(json.dumps(settings))
    with pytest.raises(ModelError, match=r"inputs has 30 cells, the training had 29"):
        load_model(tmp_path / "gp")
