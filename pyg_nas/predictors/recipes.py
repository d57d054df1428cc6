"""Recipes by name: the estimator and the settings of ``--recipe NAME``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from pyg_nas.data.protocols.labels import PAPER_LABEL, LabelPolicy
from pyg_nas.errors import SettingsError, argument, listed, quoted
from pyg_nas.io.formats.json_reader import read_json
from pyg_nas.io.user_code import user_call
from pyg_nas.predictors.parameter_rules import (
    GCN_CLASSIFIER_RULES,
    GCN_REGRESSOR_RULES,
    HYBRID_RULES,
    LATENCY_RULES,
    NETWORKS_RULES,
    TRANSFER_RULES,
    TWO_STAGE_RULES,
    ParameterRule,
    anything,
)
from pyg_nas.predictors.storage.registry import class_named

# The normalisation of the reproduction, over all of NAS-Bench-101; it applies to that label only.
PAPER_MEAN, PAPER_STD = 0.908192, 0.023961

DEFAULT_RECIPE = "best"
NETWORK_RECIPE = "networks"
"""Default for tables of whole networks."""
LATENCY_RECIPE = "latency"
"""For costs of whole networks on a device."""

_OF_NETWORKS = {"epochs", "hidden", "learning_rate", "network_share"}
SET_BY_CALLERS = ("accuracies", "device", "progress", "random_state")
"""Parameters of estimators that are not taken from settings files."""

# Settings of version 0.1 and what they are called now.
_RENAMED = {"prior": "transfer"}

Factory = Callable[[LabelPolicy, int, str], Any]
"""Makes an unfitted estimator from the label policy, the random seed and the torch device."""

_recipes: dict[str, Factory] = {}


@dataclass(frozen=True)
class RecipeNeeds:
    """Properties of a recipe that are checked before any data is read.

    Args:
        least_cells: Training cells that a fit needs.
        provides_std: Whether predictions have standard deviations.
        has_epochs: Whether the settings ``epochs`` and ``learning_rate`` change the fit.
        of_networks: Whether it is fitted to whole networks, not to cells; None if that is not
            known.
        settings: The settings that files may have, and the rules of their values.
    """

    least_cells: int = 1
    provides_std: bool = False
    has_epochs: bool = False
    of_networks: bool | None = None
    settings: Mapping[str, ParameterRule] = field(default_factory=dict)

    def check_cells(self, recipe: str, cells: int, where: str = "") -> None:
        """Check that there are as many training cells as a fit of the recipe needs.

        Args:
            where: Words that follow the number of cells in the message.

        Raises:
            SettingsError: If there are fewer.
        """
        if cells < self.least_cells:
            raise SettingsError(
                f"recipe {recipe!r} is fitted to at least {self.least_cells} cells, got "
                f"{cells}{where}"
            )


def _settings(rules: Mapping[str, ParameterRule], part: str = "") -> dict[str, ParameterRule]:
    """The rules of settings that files may have, of an estimator or of a part of one."""
    return {f"{part}{name}": rule for name, rule in rules.items() if name not in SET_BY_CALLERS}


_TWO_STAGE = {
    **_settings(TWO_STAGE_RULES),
    **_settings(GCN_CLASSIFIER_RULES, "classifier__"),
    **_settings(GCN_REGRESSOR_RULES, "regressor__"),
}

# Of the recipes of this package: their estimators, which import torch, need not be imported.
_needs: dict[str, RecipeNeeds] = {}

RECIPES: Mapping[str, Factory] = MappingProxyType(_recipes)
"""Factories by recipe."""


def register_recipe(name: str) -> Callable[[Factory], Factory]:
    """Return a decorator that makes a factory the recipe ``name``.

    Raises:
        SettingsError: If there is such a recipe already, or the name has a colon.
    """

    def register(factory: Factory) -> Factory:
        if ":" in name or not name:
            raise SettingsError(f"a recipe's name must be a word without a colon, got {name!r}")
        if name in _recipes:
            raise SettingsError(f"recipe {name!r} is registered already")
        _recipes[name] = factory
        return factory

    return register


def _built_in(name: str, needs: RecipeNeeds) -> Callable[[Factory], Factory]:
    """Return a decorator that makes a factory the recipe ``name`` of this package."""
    _needs[name] = needs
    return register_recipe(name)


def find_recipe(recipe: str) -> Factory:
    """Return the factory of a recipe's name, or of ``module:Class`` or ``file.py:Class``.

    The class is a scikit-learn regressor over cells that can be made without arguments; its
    ``random_state`` and ``device``, where it has them, are set.

    Raises:
        SettingsError: If there is no such recipe or class.
    """
    if recipe in _recipes:
        return _recipes[recipe]
    if ":" not in recipe:
        raise SettingsError(
            f"recipe {quoted(recipe)} must be one of {', '.join(RECIPES)}, or a class of yours as "
            f"module:Class or file.py:Class"
        )
    return _factory_of(recipe)


def resumed_recipe(stored: str, given: str | None) -> str:
    """Return the recipe that the user gives, by default the one that a folder or file has.

    Raises:
        SettingsError: If the stored one is a class of the user's: code is imported only if the
            user names it, never because a file names it.
    """
    if given is None and ":" in stored and stored not in _recipes:
        raise SettingsError(
            f"the stored recipe {quoted(stored, 500)} is code: name it again with "
            f"{argument('recipe')}"
        )
    return stored if given is None else given


def _factory_of(reference: str) -> Factory:
    cls = class_named(reference)

    def make(label: LabelPolicy, seed: int, device: str) -> Any:
        with user_call(f"recipe {reference!r}: cannot be made without arguments"):
            estimator = cls()
        needed = ("fit", "predict", "get_params", "set_params")
        lacks = [m for m in needed if not hasattr(estimator, m)]
        if lacks:
            raise SettingsError(f"recipe {reference!r}: a predictor needs {', '.join(lacks)}")
        with user_call(f"recipe {reference!r}: its parameters cannot be set"):
            known = dict(estimator.get_params(deep=False))
            given = {"random_state": seed, "device": device}
            estimator.set_params(**{k: v for k, v in given.items() if k in known})
        return estimator

    return make


def make_estimator(
    recipe: str = DEFAULT_RECIPE,
    label: LabelPolicy | None = None,
    seed: int = 0,
    device: str = "auto",
    task: str | None = None,
    **settings: Any,
) -> Any:
    """Return the unfitted estimator of a recipe.

    Args:
        recipe: One of :data:`RECIPES`, or ``module:Class`` or ``file.py:Class`` of a user's own.
        label: The labels that it will be fitted on. Without it they may be anything, and
            predictions are not limited to the range of an accuracy.
        seed: Random seed of all its choices.
        device: A torch device name, or ``"auto"``.
        task: Without effect, for code that was written for version 0.1: ``fit`` recognises labels
            of the shipped table by their content.
        settings: Override single settings of the recipe.

    Raises:
        SettingsError: If the recipe or a setting is unknown.
    """
    estimator = find_recipe(recipe)(label or LabelPolicy(), seed, device)
    settings = _todays_names(settings, estimator)
    known = set(estimator.get_params())
    if recipe in _needs and "accuracies" in known:
        settings.setdefault("accuracies", label is not None and label.is_accuracy)
    unknown = set(settings) - known
    if unknown:
        raise SettingsError(f"recipe {recipe!r} has no setting {', '.join(sorted(unknown))}")
    estimator.set_params(**settings)
    if estimator.get_params().get("ensemble_size") == 0:
        _check_idle(recipe, settings)
    return estimator


def _check_idle(recipe: str, settings: Iterable[str]) -> None:
    """Refuse settings of networks for a recipe that trains none."""
    idle = sorted(_OF_NETWORKS & set(settings))
    if idle:
        raise SettingsError(
            f"recipe {recipe!r} trains no network, so that {', '.join(idle)} would change nothing"
        )


def check_recipe(recipe: str) -> None:
    """Check that a text names a recipe, without importing the estimator of a registered recipe.

    Raises:
        SettingsError: If it does not.
    """
    find_recipe(recipe)


def check_epochs(recipe: str) -> None:
    """Check that a recipe of this package has the settings ``epochs`` and ``learning_rate``.

    Raises:
        SettingsError: If it does not.
    """
    if recipe in _needs and not _needs[recipe].has_epochs:
        having = [name for name, needs in _needs.items() if needs.has_epochs]
        raise SettingsError(
            f"recipe {recipe!r} has no settings epochs and learning_rate of its own; they are for "
            f"{' and '.join(having)}"
        )


def check_subject(recipe: str, of_networks: bool) -> None:
    """Check that a recipe of this package is fitted to cells, or to whole networks.

    Args:
        recipe: Its name, or a class of the user's, which is not checked.
        of_networks: Whether it is to be fitted to whole networks.

    Raises:
        SettingsError: If it is for the other kind.
    """
    needs = _needs.get(recipe)
    if needs is not None and needs.of_networks is not of_networks:
        kinds = {False: "cells", True: "whole networks"}
        fitting = [name for name, other in _needs.items() if other.of_networks is of_networks]
        raise SettingsError(
            f"recipe {recipe!r} is for {kinds[not of_networks]}, not for {kinds[of_networks]}, "
            f"whose recipes are {', '.join(fitting)}"
        )


def recipe_needs(recipe: str) -> RecipeNeeds:
    """Return what a recipe needs, without importing torch for a recipe of this package.

    Raises:
        SettingsError: If there is no such recipe.
    """
    check_recipe(recipe)
    if recipe in _needs:
        return _needs[recipe]
    estimator = make_estimator(recipe)
    rules: Mapping[str, ParameterRule] = getattr(estimator, "parameter_rules", {})
    return RecipeNeeds(
        getattr(estimator, "least_cells", 1),
        bool(getattr(estimator, "provides_std", False)),
        has_epochs=estimator.get_params().get("ensemble_size") != 0,
        settings={name: rules.get(name, anything) for name in settings_of(estimator)},
    )


def settings_of(estimator: Any) -> tuple[str, ...]:
    """Return the names of the settings of an estimator that files may have."""
    return tuple(
        name
        for name, value in estimator.get_params().items()
        if name.rpartition("__")[2] not in SET_BY_CALLERS and not hasattr(value, "get_params")
    )


def check_settings(recipe: str, candidates: Iterable[Mapping[str, Any]]) -> None:
    """Check settings of a recipe, without importing torch for one of this package.

    Args:
        recipe: Its name.
        candidates: Values of some settings, by name.

    Raises:
        SettingsError: If the recipe lacks a setting, or a value is outside its rule.
    """
    needs = recipe_needs(recipe)
    rules = {**needs.settings}
    rules |= {old: rules[new] for old, new in _RENAMED.items() if new in rules}
    for settings in candidates:
        unknown = sorted({*settings} - {*rules})
        if unknown:
            has = listed(sorted(needs.settings), 100)
            raise SettingsError(f"recipe {recipe!r} has no setting {listed(unknown)}; it has {has}")
        for name, value in settings.items():
            rules[name](name, value)
        if settings.get("ensemble_size", int(needs.has_epochs)) == 0:
            _check_idle(recipe, settings)


def read_recipe(
    path: str | os.PathLike[str], recipe: str | None = None, default: str = DEFAULT_RECIPE
) -> tuple[str, dict[str, Any]]:
    """Return the recipe and the settings of it that a JSON file names.

    The file has an object of settings, or a result of ``pyg-nas tune`` with the chosen settings of
    the tuned recipe.

    Args:
        path: The file.
        recipe: A recipe; None for the tuned one, or else ``default``.
        default: Recipe of settings that were not tuned.

    Raises:
        SettingsError: If the file is unreadable, was tuned for another recipe or for a class that
            the caller does not name, or has a setting that the recipe lacks or a value outside its
            rule.
    """
    found = read_json(path)
    tuned = None
    if isinstance(found, dict) and "chosen" in found:
        tuned, found = found.get("recipe"), found["chosen"]
        if tuned is not None and (not isinstance(tuned, str) or recipe not in (None, tuned)):
            raise SettingsError(f"{path}: was tuned for recipe {quoted(tuned)}, not {recipe!r}")
    if not isinstance(found, dict):
        raise SettingsError(f"{path}: settings must be a JSON object, got {quoted(found)}")
    try:
        name = resumed_recipe(tuned or default, recipe)
        check_settings(name, [found])
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from None
    return name, found


def _todays_names(settings: dict[str, Any], estimator: Any) -> dict[str, Any]:
    known = estimator.get_params(deep=False)
    renamed = {old: new for old, new in _RENAMED.items() if old not in known and new in known}
    return {renamed.get(name, name): value for name, value in settings.items()}


@_built_in(
    "best",
    RecipeNeeds(4, True, has_epochs=True, of_networks=False, settings=_settings(HYBRID_RULES)),
)
def _best(label: LabelPolicy, seed: int, device: str) -> Any:
    from pyg_nas.predictors.hybrid import HybridRegressor

    return HybridRegressor(transfer=True, random_state=seed, device=device)


@_built_in("fast", RecipeNeeds(4, True, of_networks=False, settings=_settings(HYBRID_RULES)))
def _fast(label: LabelPolicy, seed: int, device: str) -> Any:
    return _best(label, seed, device).set_params(ensemble_size=0)


@_built_in(
    LATENCY_RECIPE, RecipeNeeds(4, True, of_networks=True, settings=_settings(LATENCY_RULES))
)
def _latency(label: LabelPolicy, seed: int, device: str) -> Any:
    from pyg_nas.predictors.cost.latency import LatencyRegressor

    return LatencyRegressor(random_state=seed)


@_built_in(
    NETWORK_RECIPE, RecipeNeeds(1, True, of_networks=True, settings=_settings(NETWORKS_RULES))
)
def _networks(label: LabelPolicy, seed: int, device: str) -> Any:
    from pyg_nas.predictors.cost.log_labels import LogRegressor
    from pyg_nas.predictors.networks.regressor import NetworkRegressor

    process = NetworkRegressor(random_state=seed)
    return process if label.larger_is_better else LogRegressor(process)


@_built_in(
    "paper",
    RecipeNeeds(has_epochs=True, of_networks=False, settings=_settings(GCN_REGRESSOR_RULES)),
)
def _paper(label: LabelPolicy, seed: int, device: str) -> Any:
    from pyg_nas.predictors.gnn.gcn import GCNRegressor

    fixed = label == PAPER_LABEL
    return GCNRegressor(
        target_mean=PAPER_MEAN if fixed else None,
        target_std=PAPER_STD if fixed else None,
        random_state=seed,
        device=device,
    )


@_built_in("small-gp", RecipeNeeds(1, True, of_networks=False))
def _small_gp(label: LabelPolicy, seed: int, device: str) -> Any:
    from pyg_nas.predictors.gaussian_process.small import SmallGaussianProcess

    return SmallGaussianProcess(random_state=seed)


@_built_in("transfer", RecipeNeeds(4, True, of_networks=False, settings=_settings(TRANSFER_RULES)))
def _transfer(label: LabelPolicy, seed: int, device: str) -> Any:
    from pyg_nas.predictors.transfer.regressor import TransferRegressor

    return TransferRegressor(
        ensemble_size=0,
        random_state=seed,
        device=device,
        falls_with_accuracy=label.falls_with_accuracy,
    )


@_built_in("two-stage", RecipeNeeds(of_networks=False, settings=_TWO_STAGE))
def _two_stage(label: LabelPolicy, seed: int, device: str) -> Any:
    from pyg_nas.predictors.gnn.gcn import GCNClassifier
    from pyg_nas.predictors.gnn.two_stage import TwoStageRegressor

    return TwoStageRegressor(
        GCNClassifier(random_state=seed, device=device),
        _paper(label, seed, device),
        threshold=0.91 if label == PAPER_LABEL else None,
        random_state=seed,
    )
