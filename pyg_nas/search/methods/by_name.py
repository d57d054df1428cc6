"""Search methods by name; all train the same number of cells."""

from __future__ import annotations

from typing import Any

import numpy as np

from pyg_nas.data.protocols.labels import LabelPolicy
from pyg_nas.errors import SettingsError, check_count, quoted
from pyg_nas.search.constraints import Constraints, allowed_cells, restrict
from pyg_nas.search.domain import lists_networks
from pyg_nas.search.evaluators.evaluator import Evaluator
from pyg_nas.search.methods.acquisition import check_acquisition, check_std
from pyg_nas.search.methods.strategies import (
    LocalSearch,
    PredictorSearch,
    RandomSearch,
    Ranking,
    RegularizedEvolution,
    Strategy,
)
from pyg_nas.search.search_folder.settings import RECIPE

METHODS = ("predictor", "random", "evolution", "local", "oracle")


def check_method(method: str) -> None:
    """Check that a text names a search method.

    Raises:
        SettingsError: If it does not.
    """
    if method not in METHODS:
        raise SettingsError(f"method {quoted(method)} must be one of {', '.join(METHODS)}")


def make_strategy(
    method: str,
    evaluator: Evaluator,
    *,
    n: int,
    k: int,
    recipe: str,
    acquisition: str = "mean",
    constraints: Constraints | None = None,
    label: LabelPolicy | None = None,
    device: str = "auto",
    check: bool = True,
) -> Strategy:
    """Return a search method.

    Args:
        method: One of :data:`METHODS`.
        evaluator: The evaluator of the search.
        n: Random cells before the first fit of a predictor.
        k: Cells trained after each fit, and at once by random search and the oracle.
        recipe: The predictor, a key of ``recipes.RECIPES``.
        acquisition: Acquisition of a predictor search.
        constraints: Constraints on the answer.
        label: Label of the evaluator's accuracies; a recipe may have settings for this label.
        device: Where predictors are fitted.
        check: Whether to refuse now what the first proposal would refuse: constraints that
            exclude all cells, and a recipe that does not fit ``n`` or the acquisition.

    Raises:
        SettingsError: If the method is unknown, no cell is within the constraints, the recipe does
            not fit the acquisition or ``n``, or the method is ``"oracle"`` and not all cells have
            been measured.
    """
    check_method(method)
    constraints = constraints or Constraints()
    if check:
        domain = restrict(evaluator, constraints)
        if method in ("evolution", "local"):  # cells without input and output cannot be moved
            domain.space.support.genotype(domain.cells[0], np.random.default_rng(0))
    check_count("n", n)
    check_count("k", k)
    if method == "random":
        return RandomSearch(at_once=k)
    if method == "evolution":
        return RegularizedEvolution()
    if method == "local":
        return LocalSearch()
    if method == "oracle":
        scores = evaluator.oracle()
        if scores is None:
            raise SettingsError("method 'oracle' needs a table, in which all cells are measured")
        return Ranking(scores[allowed_cells(evaluator, constraints)], at_once=k)
    from pyg_nas.predictors.recipes import check_subject, make_estimator

    check_subject(recipe, of_networks=lists_networks(evaluator.domain.space))
    check_acquisition(acquisition)
    if check:
        check_predictor(recipe, n, acquisition)

    def make_predictor(n_train: int, seed: int) -> Any:
        return evaluator.predictor(make_estimator(recipe, label, seed, device))

    return PredictorSearch(
        make_predictor,
        n=n,
        k=k,
        acquisition=acquisition,
        max_seconds=constraints.max_seconds,
        predictor=f"{RECIPE}{recipe}",
    )


def check_predictor(recipe: str, n: int, acquisition: str) -> None:
    """Check, before the first training run, that a predictor could be fitted.

    Raises:
        SettingsError: If the recipe does not fit ``n`` random cells or the acquisition.
    """
    from pyg_nas.predictors.recipes import recipe_needs

    needs = recipe_needs(recipe)
    needs.check_cells(recipe, n, " to begin with")
    check_std(acquisition, needs, f"recipe {recipe!r}")
