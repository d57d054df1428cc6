"""The label that a person names on the command line."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyg_nas.labels import LabelPolicy
    from pyg_nas.table import Table


def chosen_label(
    table: Table, metric: str | None, budget: int | None, run: str | None
) -> LabelPolicy:
    """Return the table's default label with what a person named put in its place.

    At another budget low accuracies are no sign of a run that blew up, and the default's stand-in
    for such cells is a value of its own metric and budget: neither is kept beyond.

    Raises:
        SettingsError: If one is outside its rule.
    """
    default = table.default_label
    given: dict[str, Any] = {}
    if metric is not None and metric != default.metric:
        given |= {"metric": metric, "fallback": None}
    if budget is not None and budget != default.budget:
        given |= {"budget": budget, "fallback": None, "resample_below": None}
    if run is not None:
        given["run"] = int(run) if run.isdecimal() else run
    return replace(default, **given)
