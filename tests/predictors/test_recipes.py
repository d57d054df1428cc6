"""Every recipe trains, stores and takes its seed."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from pyg_nas.data.protocols.labels import PAPER_LABEL, LabelPolicy
from pyg_nas.data.protocols.protocol import Protocol
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import ModelError, SettingsError
from pyg_nas.predictors import recipes
from pyg_nas.predictors.hybrid import HybridRegressor
from pyg_nas.predictors.parameter_rules import anything
from pyg_nas.predictors.recipes import (
    LATENCY_RECIPE,
    NETWORK_RECIPE,
    RECIPES,
    check_settings,
    check_subject,
    make_estimator,
    read_recipe,
    recipe_needs,
    resumed_recipe,
    settings_of,
)
from pyg_nas.predictors.storage.folder import load_model, save_model
from pyg_nas.predictors.trained import TrainedPredictor
from pyg_nas.spaces.modules import NetworkArray, graph_of

FAST = {"hidden": 8, "epochs": 2}


@pytest.mark.parametrize("recipe", sorted(set(RECIPES) - {NETWORK_RECIPE, LATENCY_RECIPE}))
def test_every_recipe_trains_saves_and_loads(
    recipe: str, small_table: Table, tmp_path: Path
) -> None:
    settings = {
        key: (2 if key.endswith("epochs") else 8)
        for key in make_estimator(recipe).get_params()
        if key.split("__")[-1] in ("epochs", "hidden")
        and recipe not in ("fast", "transfer")  # no networks
    }
    protocol = Protocol(train="60", label=LabelPolicy())
    trained = TrainedPredictor.train(small_table, protocol, recipe, **settings)
    trained.save(tmp_path / "m")
    loaded = TrainedPredictor.load(tmp_path / "m")
    cells = small_table.cells[:40]
    np.testing.assert_allclose(
        loaded.estimator.predict(cells), trained.estimator.predict(cells), atol=1e-7
    )


@pytest.mark.parametrize("recipe", ["best", "paper", "two-stage", "latency", "networks"])
def test_numbers_of_numpy_are_those_of_python(
    recipe: str, small_table: Table, tmp_path: Path
) -> None:
    if recipe in (NETWORK_RECIPE, LATENCY_RECIPE):
        graphs = [graph_of(nn.Linear(4, n), torch.zeros(1, 4)) for n in range(1, 13)]
        data: Any = NetworkArray.from_graphs(graphs)
    else:
        data = small_table.cells[:40]
    labels = np.linspace(0.8, 0.95, len(data))
    predictions = []
    for seed, number in ((3, int), (np.int64(3), np.int32)):
        made = make_estimator(recipe, seed=seed)  # type: ignore[arg-type]
        small = {
            name: number(8 if name.endswith("hidden") else 2)
            for name, value in made.get_params().items()
            if name.endswith(("epochs", "hidden")) and isinstance(value, int | None)
        }
        save_model(made.set_params(**small).fit(data, labels), tmp_path / str(number))
        predictions.append(load_model(tmp_path / str(number)).predict(data))
    np.testing.assert_array_equal(*predictions)


def test_the_task_of_version_0_1_is_taken_without_effect() -> None:
    given, without = (make_estimator("fast", **task) for task in ({"task": "digits"}, {}))
    assert given.get_params() == without.get_params()


def test_unknown_recipe_and_setting_are_named(small_table: Table) -> None:
    with pytest.raises(SettingsError, match="recipe 'nope'"):
        TrainedPredictor.train(small_table, Protocol(train="60"), "nope")
    with pytest.raises(SettingsError, match="no setting"):
        make_estimator("paper", width=3)
    with pytest.raises(SettingsError, match="'fast' trains no network, so that epochs, learning_"):
        make_estimator("fast", epochs=3, learning_rate=5.0)
    with pytest.raises(SettingsError, match=r"classifier__class_weight must be None, balanced or"):
        check_settings("two-stage", [{"classifier__class_weight": "large"}])


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_seed_of_a_recipe_is_that_of_every_part(recipe: str) -> None:
    given = make_estimator(recipe, seed=7).get_params()
    seeds = {name: value for name, value in given.items() if name.endswith("random_state")}
    assert seeds
    assert set(seeds.values()) == {7}


@pytest.mark.parametrize("recipe", ["best", "fast", "transfer"])
def test_recipes_use_which_labels_are_accuracies(recipe: str) -> None:
    assert make_estimator(recipe, LabelPolicy()).accuracies
    assert not make_estimator(recipe, LabelPolicy(metric="training_time")).accuracies
    assert not make_estimator(recipe).accuracies  # numbers of any kind, such as milliseconds
    assert make_estimator(recipe, accuracies=True).accuracies


def test_a_recipe_of_a_user_decides_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    own = lambda label, seed, device: HybridRegressor(accuracies=True)  # noqa: E731
    monkeypatch.setitem(recipes._recipes, "own", own)
    assert make_estimator("own").accuracies


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


@pytest.mark.parametrize(
    "recipe", ["paper", "two-stage", "best", "fast", "small-gp", "networks", "latency", "transfer"]
)
def test_what_is_checked_before_torch_is_imported_is_true(recipe: str) -> None:
    estimator = make_estimator(recipe)
    needs = recipe_needs(recipe)
    assert needs.least_cells == getattr(estimator, "least_cells", 1)
    assert needs.provides_std == getattr(estimator, "provides_std", False)
    assert sorted(needs.settings) == list(settings_of(estimator))
    for name, rule in needs.settings.items():
        part, _, inner = name.rpartition("__")
        owner = getattr(estimator, part) if part else estimator
        assert rule is owner.parameter_rules.get(inner, anything)
    for name, value in (("epochs", 3), ("learning_rate", 0.1)):
        with nullcontext() if needs.has_epochs else pytest.raises(SettingsError, match=name):
            make_estimator(recipe, **{name: value})


def test_recipes_of_cells_and_of_networks(small_table: Table) -> None:
    networks = NetworkArray.from_graphs([graph_of(nn.Linear(4, 5), torch.zeros(1, 4))] * 8)
    for recipe in RECIPES:
        of_networks = recipe_needs(recipe).of_networks
        assert of_networks is not None
        check_subject(recipe, of_networks)
        with pytest.raises(SettingsError, match=f"{recipe!r} is for"):
            check_subject(recipe, not of_networks)
        X: Any = small_table.cells[:8] if of_networks else networks
        with pytest.raises(ModelError, match="X must be"):
            make_estimator(recipe).fit(X, np.linspace(0, 1, len(X)))


def test_a_class_that_a_folder_names_must_be_named_again() -> None:
    assert resumed_recipe("fast", None) == "fast"
    assert resumed_recipe("theirs.py:Class", "mine.py:Class") == "mine.py:Class"
    with pytest.raises(SettingsError, match="name it again with the argument `recipe`"):
        resumed_recipe("theirs.py:Class", None)


def test_a_tuned_class_is_imported_only_where_it_is_named_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("theirs_tuned.py").write_text("open('imported', 'w')\nfrom pyg_nas.predictors import *\n")
    name = "theirs_tuned.py:GCNRegressor"
    path = tmp_path / "tuned.json"
    path.write_text(json.dumps({"recipe": name, "chosen": {"hidden": 8}}))
    for given in (None, "paper"):
        with pytest.raises(SettingsError, match=r"tuned\.json: .*theirs_tuned"):
            read_recipe(path, given)
    path.write_text(json.dumps({"recipe": [1], "chosen": {}}))
    with pytest.raises(SettingsError, match=r"was tuned for recipe \[1\]"):
        read_recipe(path)
    assert not Path("imported").exists()
