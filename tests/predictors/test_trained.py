"""Model folders: round trips, damage, and evaluation on unseen cells only."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import numpy as np
import pytest

from pyg_nas.data.labels import PAPER_LABEL, LabelPolicy
from pyg_nas.data.splits import Protocol
from pyg_nas.data.table import Table
from pyg_nas.errors import ModelError, SettingsError
from pyg_nas.metrics.regression import regression_metrics
from pyg_nas.predictors.gcn import GCNClassifier, GCNRegressor
from pyg_nas.predictors.recipes import RECIPES, make_estimator
from pyg_nas.predictors.storage import load_model, save_model, settings_checksum
from pyg_nas.predictors.trained import Model

FAST = {"hidden": 8, "epochs": 2}


@pytest.fixture(scope="module")
def model(small_table: Table) -> Model:
    return Model.train(small_table, Protocol(train="60"), "paper", **FAST)


@pytest.fixture
def folder(model: Model, tmp_path: Path) -> Path:
    model.save(tmp_path / "model")
    return tmp_path / "model"


def test_round_trip(model: Model, folder: Path, small_table: Table) -> None:
    loaded = Model.load(folder)
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


def test_evaluation_leaves_training_cells_out(model: Model, small_table: Table) -> None:
    result = model.evaluate(small_table)
    assert len(result.rows) == 240
    assert result.left_out == 60
    assert not np.isin(small_table.hashes[result.rows], model.training_hashes).any()
    predicted = model.estimator.predict(small_table.cells[result.rows])
    assert result.figures() == regression_metrics(small_table.label()[result.rows], predicted)


def test_evaluation_keeps_to_the_protocol(small_table: Table) -> None:
    tested = LabelPolicy("test_accuracy", run="mean")
    protocol = Protocol(train="60", evaluate="denoise-78", evaluation_label=tested)
    model = Model.train(small_table, protocol, "paper", **FAST)
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
    model = Model.train(small_table, Protocol(train="60", label=seconds), "paper", **FAST)
    result = model.evaluate(small_table)
    shortest = result.measured[np.argsort(result.predicted, kind="stable")[:10]].min()
    assert result.figures()["best_in_top_10"] == shortest
    assert result.figures()["regret_in_top_10"] == shortest - result.measured.min()
    accurate = model.evaluate(small_table, label=LabelPolicy())
    assert accurate.larger_is_better
    assert accurate.figures() == regression_metrics(accurate.measured, accurate.predicted)


def test_the_unit_of_the_error_is_that_of_all_labels(model: Model, small_table: Table) -> None:
    metrics = small_table.metrics.copy()
    metrics[np.isin(small_table.hashes, model.training_hashes)] *= 10
    metrics[..., 0] /= 1000  # seconds, all below one
    table = Table(small_table.cells, metrics)
    for label in (None, LabelPolicy("training_time")):
        result = model.evaluate(table, label=label)
        assert result.measured.max() < 1  # as in a table of fractions
        expected = np.mean((result.measured - result.predicted) ** 2)
        assert result.figures()["mse"] == pytest.approx(expected)


def test_evaluation_on_training_cells_alone_is_refused(model: Model, small_table: Table) -> None:
    known = small_table.subset(np.isin(small_table.hashes, model.training_hashes))
    with pytest.raises(SettingsError, match="not trained on"):
        model.evaluate(known)


def test_saving_replaces_an_earlier_model(model: Model, folder: Path, small_table: Table) -> None:
    other = Model.train(small_table, Protocol(train="61"), "paper", seed=1, **FAST)
    other.save(folder)
    assert len(Model.load(folder).training_hashes) == 61


@pytest.mark.parametrize("method", ["write_text", "write_bytes"])
def test_a_full_disk_leaves_the_earlier_model(
    model: Model, folder: Path, small_table: Table, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    other = Model.train(small_table, Protocol(train="61"), "paper", seed=1, **FAST)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, method, full)
    with pytest.raises(OSError, match="No space left"):
        other.save(folder)
    monkeypatch.undo()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_failed_save_leaves_the_folder_as_it_was(folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(Exception, match="not fitted"):
        save_model(GCNRegressor(), folder)
    with pytest.raises(ModelError, match="cannot be stored"):
        save_model(object(), folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_saved_files_have_the_usual_permissions(folder: Path) -> None:
    """A folder on a shared disk is for the whole group, not for its writer alone."""
    usual = folder / "usual"
    usual.touch()
    for path in folder.iterdir():
        assert path.stat().st_mode == usual.stat().st_mode, path.name


def test_classifier_round_trip(small_table: Table, tmp_path: Path) -> None:
    above = small_table.label() > np.median(small_table.label())
    classifier = GCNClassifier(**FAST).fit(small_table.cells, above)
    save_model(classifier, tmp_path / "m")
    loaded = load_model(tmp_path / "m")
    assert np.array_equal(loaded.predict(small_table), classifier.predict(small_table))


@pytest.mark.parametrize("recipe", sorted(RECIPES))
def test_every_recipe_trains_saves_and_loads(
    recipe: str, small_table: Table, tmp_path: Path
) -> None:
    settings = {
        key: (2 if key.endswith("epochs") else 8)
        for key in make_estimator(recipe).get_params()
        if key.split("__")[-1] in ("epochs", "hidden") and recipe != "fast"  # it has no network
    }
    protocol = Protocol(train="60", label=LabelPolicy())
    trained = Model.train(small_table, protocol, recipe, **settings)
    trained.save(tmp_path / "m")
    loaded = Model.load(tmp_path / "m")
    cells = small_table.cells[:40]
    np.testing.assert_allclose(
        loaded.estimator.predict(cells), trained.estimator.predict(cells), atol=1e-7
    )


@pytest.mark.parametrize("name", ["settings.json", "weights.safetensors"])
def test_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ModelError, match=name):
        Model.load(folder)


def test_flipped_bit_in_the_weights_is_noticed(folder: Path) -> None:
    weights = folder / "weights.safetensors"
    raw = bytearray(weights.read_bytes())
    raw[-1] ^= 1
    weights.write_bytes(raw)
    with pytest.raises(ModelError, match="checksum"):
        Model.load(folder)


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
        ("model", "values", "members"),
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
        Model.load(folder)
    # Nor where somebody put the checksum right.
    settings["settings_sha256"] = settings_checksum(settings)
    (folder / "settings.json").write_text(json.dumps(settings))
    with pytest.raises(ModelError):
        Model.load(folder)


def test_a_changed_number_in_the_settings_is_noticed(folder: Path) -> None:
    path = folder / "settings.json"
    settings = json.loads(path.read_text())
    del settings["about"]["training_cells"][5:]
    path.write_text(json.dumps(settings))
    with pytest.raises(ModelError, match="its checksum differs"):
        Model.load(folder)


def test_unknown_recipe_and_setting_are_named(small_table: Table) -> None:
    with pytest.raises(SettingsError, match="recipe 'nope'"):
        Model.train(small_table, Protocol(train="60"), "nope")
    with pytest.raises(SettingsError, match="no setting"):
        make_estimator("paper", width=3)
    with pytest.raises(SettingsError, match="'fast' trains no network, so that epochs, learning_"):
        make_estimator("fast", epochs=3, learning_rate=5.0)


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_seed_of_a_recipe_is_that_of_every_part(recipe: str) -> None:
    given = make_estimator(recipe, seed=7).get_params()
    seeds = {name: value for name, value in given.items() if name.endswith("random_state")}
    assert seeds
    assert set(seeds.values()) == {7}


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


@pytest.fixture(scope="module")
def seeded(small_table: Table) -> Model:
    return Model.train(small_table, Protocol(train="60", split_seed=5), "paper", seed=7, **FAST)


def test_the_split_seed_is_that_of_training_and_of_evaluation(
    seeded: Model, small_table: Table
) -> None:
    order = np.random.RandomState(5).permutation(300)
    np.testing.assert_array_equal(seeded.training_hashes, small_table.hashes[order[:60]])
    result = seeded.evaluate(small_table, "100")
    np.testing.assert_array_equal(result.rows, order[60:100])
    assert result.left_out == 60


def test_evaluation_compares_with_the_label_asked_for(seeded: Model, small_table: Table) -> None:
    result = seeded.evaluate(small_table, label=LabelPolicy("test_accuracy", run=1))
    expected = small_table.metrics[result.rows, 3, 1, 1, 3].astype(float)
    np.testing.assert_array_equal(result.measured, expected)


def test_the_seed_reaches_the_estimator_and_the_folder(
    seeded: Model, small_table: Table, tmp_path: Path
) -> None:
    assert seeded.estimator.random_state == 7
    other = Model.train(small_table, Protocol(train="60", split_seed=5), "paper", seed=8, **FAST)
    assert not np.array_equal(
        seeded.estimator.predict(small_table), other.estimator.predict(small_table)
    )
    seeded.save(tmp_path / "m")
    assert Model.load(tmp_path / "m").seed == 7


def test_a_loaded_model_runs_on_the_device_asked_for(seeded: Model, tmp_path: Path) -> None:
    seeded.save(tmp_path / "m")
    assert load_model(tmp_path / "m", "cpu").device == "cpu"
    assert Model.load(tmp_path / "m", "cpu").estimator.device == "cpu"


def test_settings_without_their_checksum_are_refused(seeded: Model, tmp_path: Path) -> None:
    seeded.save(tmp_path / "m")
    path = tmp_path / "m" / "settings.json"
    settings = json.loads(path.read_text())
    del settings["settings_sha256"], settings["about"]["training_cells"][5:]
    path.write_text(json.dumps(settings))
    with pytest.raises(ModelError, match="its checksum differs"):
        Model.load(tmp_path / "m")


@pytest.mark.parametrize(
    ("label", "mean", "std", "threshold"),
    [
        (PAPER_LABEL, 0.908192, 0.023961, 0.91),
        (LabelPolicy(run=1), None, None, None),
        (LabelPolicy("training_time"), None, None, None),
    ],
)
def test_the_papers_constants_are_for_the_papers_label_alone(
    label: LabelPolicy, mean: float | None, std: float | None, threshold: float | None
) -> None:
    two_stage = make_estimator("two-stage", label)
    for regressor in (make_estimator("paper", label), two_stage.regressor):
        assert (regressor.target_mean, regressor.target_std) == (mean, std)
    assert two_stage.threshold == threshold
    assert two_stage.classifier.learning_rate == 2e-4
