"""Search methods by name, on equal terms: the same number of trainings for each."""

from __future__ import annotations

from typing import Any

from pyg_nas.data.labels import LabelPolicy
from pyg_nas.errors import SettingsError, quoted
from pyg_nas.search.acquisition import check_acquisition, check_std
from pyg_nas.search.domain import Domain
from pyg_nas.search.evaluator import Evaluator
from pyg_nas.search.result import Constraints
from pyg_nas.search.strategies import (
    LocalSearch,
    PredictorSearch,
    RandomSearch,
    Ranking,
    RegularizedEvolution,
    Strategy,
)

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
        evaluator: What it will search with.
        n: Random cells before the first fit of a predictor.
        k: Cells trained after each fit, and at once by random search and the oracle.
        recipe: The predictor, a key of ``recipes.RECIPES``.
        acquisition: What a predictor search asks for.
        constraints: What the answer must keep.
        label: What the evaluator's accuracies are; recipes may know some labels.
        device: Where predictors are fitted.
        check: Make a predictor now to see whether it fits ``n`` and the acquisition. This imports
            torch.

    Raises:
        SettingsError: If the method is unknown, no cell keeps the constraints, the recipe does
            not fit the acquisition or ``n``, or the oracle is asked for where nobody knows all
            cells.
    """
    check_method(method)
    constraints = constraints or Constraints()
    domain = restrict(evaluator, constraints)
    if n < 1 or k < 1:
        raise SettingsError(f"n and k must be at least 1, got {n} and {k}")
    if method == "random":
        return RandomSearch(at_once=k)
    if method == "evolution":
        return RegularizedEvolution()
    if method == "local":
        return LocalSearch()
    if method == "oracle":
        scores = evaluator.oracle()
        if scores is None:
            raise SettingsError("the oracle needs a table: live measurement knows no cell yet")
        if domain is not evaluator.domain and constraints.max_parameters:
            counts = evaluator.parameters(evaluator.domain.cells)
            if counts is not None:
                scores = scores[counts <= constraints.max_parameters]
        return Ranking(scores, at_once=k)
    from pyg_nas.predictors.recipes import check_recipe, make_estimator

    check_recipe(recipe)
    check_acquisition(acquisition)

    def make_predictor(n_train: int, seed: int) -> Any:
        return make_estimator(recipe, label, seed, device)

    if check:
        _check_predictor(make_predictor(n, 0), recipe, n, acquisition)
    return PredictorSearch(
        make_predictor,
        n=n,
        k=k,
        acquisition=acquisition,
        max_seconds=constraints.max_seconds,
        predictor=f"recipe {recipe}",
    )


def _check_predictor(predictor: Any, recipe: str, n: int, acquisition: str) -> None:
    """Refuse before the first training what could not work after it."""
    least = getattr(predictor, "least_cells", 1)
    if n < least:
        raise SettingsError(f"recipe {recipe!r} is fitted to at least {least} cells, got n {n}")
    check_std(acquisition, predictor, f"recipe {recipe!r}")


def restrict(evaluator: Evaluator, constraints: Constraints) -> Domain:
    """Return the evaluator's domain without cells of too many parameters.

    Raises:
        SettingsError: If parameters are limited but not known, or no cell keeps the limit.
    """
    limit = constraints.max_parameters
    if limit is None:
        return evaluator.domain
    counts = evaluator.parameters(evaluator.domain.cells)
    if counts is None:
        raise SettingsError("parameters cannot be limited: they are not known for these cells")
    if not (counts <= limit).any():
        raise SettingsError(
            f"no cell has at most {limit} parameters, the smallest has {int(counts.min())}"
        )
    return evaluator.domain.where(counts <= limit)
