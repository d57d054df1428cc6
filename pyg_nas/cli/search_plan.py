"""How many cells a search trains: the user's numbers, and what stands for those left out."""

from __future__ import annotations

from dataclasses import dataclass

from pyg_nas.errors import SettingsError, check_count, quoted
from pyg_nas.predictors.recipes import NETWORK_RECIPE, resumed_recipe
from pyg_nas.search.search_folder.settings import SearchSettings


@dataclass(frozen=True)
class Plan:
    """Numbers of trained cells of a search, and its predictor.

    Args:
        n: Random cells, trained first.
        k: Cells trained after each fit.
        total: All cells.
        recipe: The predictor's recipe.
    """

    n: int
    k: int
    total: int
    recipe: str


PROTOCOLS = {
    # Of all settings in docs/results.md the fastest to 0.2 points: 38 cells in the median.
    "recommended": Plan(16, 4, 16 + 11 * 4, "fast"),
    # arXiv:1912.00848.
    "paper": Plan(172, 10, 172 + 10, "two-stage"),
}
"""Plans by name, for the numbers that a user leaves out."""


def plan_search(
    protocol: str | None = None,
    n: int | None = None,
    k: int | None = None,
    rounds: int | None = None,
    recipe: str | None = None,
    *,
    of_networks: bool = False,
    stored: SearchSettings | None = None,
) -> Plan:
    """Fill in what the user left out: from the search that is resumed, else from the protocol.

    Args:
        protocol: A name in ``PROTOCOLS``; None for what the resumed search had, or else
            ``"recommended"``.
        n: Random cells.
        k: Cells of each round after them.
        rounds: Number of rounds; 1 if ``n`` or ``k`` is given.
        recipe: The predictor's recipe.
        of_networks: Whether whole networks are searched, for which another recipe is usual.
        stored: Settings of the search that is resumed.

    Raises:
        SettingsError: For an unknown protocol, less than one round, or a stored recipe that is the
            user's code and was not named again.
    """
    if protocol not in (None, *PROTOCOLS):
        raise SettingsError(f"--protocol {quoted(protocol)} must be one of {', '.join(PROTOCOLS)}")
    if rounds is not None:
        check_count("--rounds", rounds)
    usual = PROTOCOLS[protocol or "recommended"]
    usual_n, usual_k, total = usual.n, usual.k, usual.total
    usual_recipe = NETWORK_RECIPE if of_networks else usual.recipe
    if stored is not None and protocol is None:
        usual_recipe = resumed_recipe(stored.recipe or usual_recipe, recipe)
        usual_n, usual_k = stored.n or usual_n, stored.k or usual_k
        total = stored.budget or total
    planned_n = usual_n if n is None else n
    planned_k = usual_k if k is None else k
    if (n, k, rounds) != (None, None, None):
        total = planned_n + planned_k * (1 if rounds is None else rounds)
    return Plan(planned_n, planned_k, total, recipe or usual_recipe)
