"""Recipes by name: which estimator, with which settings, a person gets for ``--recipe NAME``."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from pyg_nas.data.labels import PAPER_LABEL, LabelPolicy
from pyg_nas.data.shipped import SHIPPED_TASK
from pyg_nas.errors import SettingsError, quoted
from pyg_nas.io.json_reader import read_json

# The normalisation of the reproduction, over all of NAS-Bench-101; it applies to that label only.
PAPER_MEAN, PAPER_STD = 0.908192, 0.023961

DEFAULT_RECIPE = "best"

_OF_NETWORKS = {"epochs", "hidden", "learning_rate", "network_share"}
# The caller's own to say: a model names its seed, and the others are no part of a fit.
_NOT_IN_FILES = ("device", "progress", "random_state")


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
        recipe: A key of :data:`RECIPES`.
        label: The labels that it will be fitted on.
        seed: Of all its random choices.
        device: A torch device name, or ``"auto"``.
        task: What the labels were measured on, where that is known: the shipped table's
            knowledge is not used to predict that table's own task.
        settings: Override single settings of the recipe.

    Raises:
        SettingsError: If the recipe or a setting is unknown.
    """
    check_recipe(recipe)
    estimator = RECIPES[recipe](label or LabelPolicy(), seed, device)
    if task == SHIPPED_TASK and "prior" in estimator.get_params():
        estimator.set_params(prior=False)
    unknown = set(settings) - set(estimator.get_params())
    if unknown:
        raise SettingsError(f"recipe {recipe!r} has no setting {', '.join(sorted(unknown))}")
    estimator.set_params(**settings)
    idle = sorted(_OF_NETWORKS & set(settings))
    if idle and estimator.get_params().get("ensemble_size") == 0:
        raise SettingsError(
            f"recipe {recipe!r} trains no network, so that {', '.join(idle)} would change nothing"
        )
    return estimator


def check_recipe(recipe: str) -> None:
    """Check that a text names a recipe, without importing what the recipe is made of.

    Raises:
        SettingsError: If it does not.
    """
    if recipe not in RECIPES:
        raise SettingsError(f"recipe {quoted(recipe)} must be one of {', '.join(RECIPES)}")


def read_recipe(
    path: str | os.PathLike[str], recipe: str | None = None
) -> tuple[str, dict[str, Any]]:
    """Return the recipe and the settings of it that a JSON file names.

    The file holds an object of settings, or a result of ``pyg-nas tune``: then they are those
    that it chose, for the recipe that it tuned.

    Args:
        path: The file.
        recipe: A key of :data:`RECIPES`; None for the tuned one, or else the default.

    Raises:
        SettingsError: If the file is unreadable, was tuned for another recipe, or has a setting
            that the recipe lacks or a value outside its rule.
    """
    found = read_json(path)
    tuned = None
    if isinstance(found, dict) and "chosen" in found:
        tuned, found = found.get("recipe"), found["chosen"]
        if recipe is not None and tuned is not None and tuned != recipe:
            raise SettingsError(f"{path}: was tuned for recipe {tuned!r}, not {recipe!r}")
    if not isinstance(found, dict):
        raise SettingsError(f"{path}: settings must be a JSON object, got {found!r}")
    name = recipe or tuned or DEFAULT_RECIPE
    try:
        _check_settings(name, found)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from None
    return name, found


def _check_settings(recipe: str, settings: dict[str, Any]) -> None:
    known = [
        name
        for name, value in make_estimator(recipe).get_params().items()
        if name.rpartition("__")[2] not in _NOT_IN_FILES and not hasattr(value, "get_params")
    ]
    unknown = sorted(set(settings) - set(known))
    if unknown:
        raise SettingsError(
            f"recipe {recipe!r} has no setting {', '.join(unknown)}; it has {', '.join(known)}"
        )
    estimator = make_estimator(recipe, **settings)
    for part in (estimator, *estimator.get_params().values()):
        if hasattr(part, "_check_settings"):
            part._check_settings()


def _paper(label: LabelPolicy, seed: int, device: str) -> Any:
    from pyg_nas.predictors.gcn import GCNRegressor

    fixed = label == PAPER_LABEL
    return GCNRegressor(
        target_mean=PAPER_MEAN if fixed else None,
        target_std=PAPER_STD if fixed else None,
        random_state=seed,
        device=device,
    )


def _two_stage(label: LabelPolicy, seed: int, device: str) -> Any:
    from pyg_nas.predictors.gcn import GCNClassifier
    from pyg_nas.predictors.two_stage import TwoStageRegressor

    return TwoStageRegressor(
        GCNClassifier(random_state=seed, device=device),
        _paper(label, seed, device),
        threshold=0.91 if label == PAPER_LABEL else None,
        random_state=seed,
    )


def _best(label: LabelPolicy, seed: int, device: str) -> Any:
    from pyg_nas.predictors.hybrid import BestRegressor

    return BestRegressor(random_state=seed, device=device)


def _fast(label: LabelPolicy, seed: int, device: str) -> Any:
    return _best(label, seed, device).set_params(ensemble_size=0)


RECIPES: dict[str, Callable[[LabelPolicy, int, str], Any]] = {
    "best": _best,
    "fast": _fast,
    "paper": _paper,
    "two-stage": _two_stage,
}
