"""The label that a user chooses on the command line."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pyg_nas.io.limits import MOST_DIGITS

if TYPE_CHECKING:
    from pyg_nas.data.labels import LabelPolicy


def check_label(metric: str | None, budget: int | None, run: str | None) -> None:
    """Check the options of a label before any table is read.

    Raises:
        SettingsError: If one is outside its rule.
    """
    from pyg_nas.data.labels import LabelPolicy

    chosen_label(LabelPolicy(), metric, budget, run)


def chosen_label(
    default: LabelPolicy, metric: str | None, budget: int | None, run: str | None
) -> LabelPolicy:
    """Return the default label, changed by the options of the user.

    At another budget low accuracies are no sign of a failed run, and the default's stand-in
    for such cells is a value of its own metric and budget: neither is kept beyond.

    Raises:
        SettingsError: If one is outside its rule.
    """
    given: dict[str, Any] = {}
    if metric is not None and metric != default.metric:
        given |= {"metric": metric, "fallback": None}
    if budget is not None and budget != default.budget:
        given |= {"budget": budget, "fallback": None, "resample_below": None}
    if run is not None:
        given["run"] = int(run) if run.isdecimal() and len(run) <= MOST_DIGITS else run
    return replace(default, **given)
