"""Comparison of finished and stopped searches: regret by trained cells or training time."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyg_nas.errors import SettingsError, first_difference, quoted
from pyg_nas.io.files import write_text
from pyg_nas.io.formats.csv_rows import write_csv
from pyg_nas.io.formats.latex import latex_table
from pyg_nas.metrics.regression import are_fractions
from pyg_nas.search.constraints import Constraints
from pyg_nas.search.goal import Goal
from pyg_nas.search.search_folder.settings import SearchSettings, shown_name
from pyg_nas.search.search_folder.stored import StoredSearch
from pyg_nas.visualization.files import save_figure
from pyg_nas.visualization.plots import draw_for_paper
from pyg_nas.visualization.search_charts import regret_chart

Floats = NDArray[np.float64]

AXES = ("runs", "time")
_POINTS = 200


@dataclass(frozen=True)
class RegretCurve:
    """Regret of the searches of one method.

    Args:
        x: Trained cells or seconds, ``[P]``.
        quartiles: 25 %, 50 % and 75 % of the searches, ``[3, P]``.
        searches: Number of searches.
        longest: Where the longest search ends.
        fractions: Whether accuracies are fractions, so that regret is shown in points.
        thing: What was trained: a cell or a network.
        goal: What cells were compared by.
        regret_of: What regret is computed from, in words: mean test accuracy.
        limited: Whether it is against the best architecture within constraints.
    """

    name: str
    x: Floats
    quartiles: Floats
    searches: int
    longest: float
    fractions: bool
    thing: str
    goal: Goal
    regret_of: str
    limited: bool = False

    def at(self, place: float) -> Floats:
        """Return the quartiles after ``place`` trained cells or seconds, ``[3]``."""
        return self.quartiles[:, _reached(self.x, place)]


def compare_searches(folders: Sequence[Path], by: str = "runs") -> list[RegretCurve]:
    """Return the regret of searches of one table, one curve for each method and its settings.

    A curve ends where the shortest search of its method ends.

    Args:
        by: ``"runs"`` for trained cells, ``"time"`` for the training time that was charged.

    Raises:
        SettingsError: If the searches are of different tables, labels or constraints, one is named
            twice or is the same search as another, or its regret is not known.
    """
    if by not in AXES:
        raise SettingsError(f"by {quoted(by)} must be one of {', '.join(AXES)}")
    searches = [_read(folder) for folder in folders]
    if not searches:
        raise SettingsError("there is no search folder to compare")
    groups: dict[str, list[StoredSearch]] = {}
    seen: dict[tuple[str, int | None], Path] = {}
    first = searches[0]
    for search in searches:
        settings = search.settings
        for key, value in settings.subject.items():
            if value != first.settings.subject[key]:
                name, known, other = first_difference(key, first.settings.subject[key], value)
                raise SettingsError(
                    f"{search.folder}: has {shown_name(name)} = {reprlib.repr(other)}, "
                    f"{first.folder} has "
                    f"{reprlib.repr(known)}; compare searches of one table, label and set of "
                    f"constraints"
                )
        one = settings.procedure, settings.seed
        if one in seen:
            raise SettingsError(
                f"{search.folder}: the same search as {seen[one]}, with the random seed "
                f"{settings.seed}; searches of one method need different seeds"
            )
        seen[one] = search.folder
        groups.setdefault(settings.procedure, []).append(search)
    names = _names([members[0].settings for members in groups.values()])
    return [_curve(name, members, by) for name, members in zip(names, groups.values(), strict=True)]


def _read(folder: Path) -> StoredSearch:
    stored = StoredSearch.read(folder)
    stored.check_trained()
    regret = stored.result.regret
    if regret is None or not np.isfinite(regret[-1]):
        raise SettingsError(
            f"{folder}: its regret is not known: it has not finished, searched no table, or has no "
            f"answer within its constraints"
        )
    return stored


def _names(settings: Sequence[SearchSettings]) -> list[str]:
    """Names of methods, with the settings in which searches of one method differ."""
    names = []
    for one in settings:
        own = one.strategy_as_options()
        others = [other.strategy_as_options() for other in settings if other.method == one.method]
        differing = [key for key in own if any(other.get(key) != own[key] for other in others)]
        # The value of the predictor names it: recipe fast.
        differences = [f"{key} {own[key]}".removeprefix("predictor ") for key in differing]
        if any(other.early_stopping != one.early_stopping for other in settings):
            differences.append(f"{'with' if one.early_stopping else 'no'} early stopping")
        shown = ", ".join(differences)
        method = one.method or "search"
        names.append(f"{method} ({shown})" if shown else method)
    return names


def _curve(name: str, members: Sequence[StoredSearch], by: str) -> RegretCurve:
    regrets = [np.asarray(search.result.regret) for search in members]
    thing = members[0].result.thing
    if by == "runs":
        places = [np.arange(1.0, len(regret) + 1) for regret in regrets]
    else:
        places = [search.result.seconds for search in members]
        for search, place in zip(members, places, strict=True):
            if np.isnan(search.result.history.seconds).any() or place[-1] <= 0:
                raise SettingsError(
                    f"{search.folder}: the training time of some {thing} is not known"
                )
    # From where every search has an answer to where the first one ends.
    begin = max(p[np.isfinite(r)][0] for p, r in zip(places, regrets, strict=True))
    end = min(place[-1] for place in places)
    if begin > end:
        raise SettingsError(f"{name}: a search ends before another one has its first answer")
    x = np.arange(begin, end + 1) if by == "runs" else np.geomspace(begin, end, _POINTS)
    values = [regret[_reached(place, x)] for place, regret in zip(places, regrets, strict=True)]
    quartiles = np.quantile(values, [0.25, 0.5, 0.75], axis=0)
    goal = members[0].result.goal
    fractions = goal.is_accuracy and all(
        are_fractions(search.result.history.accuracies) for search in members
    )
    longest = float(max(place[-1] for place in places))
    reference = members[0].result.reference
    regret_of = goal.name if reference is None else reference.kind
    limited = members[0].result.constraints != Constraints()
    return RegretCurve(
        name, x, quartiles, len(members), longest, fractions, thing, goal, regret_of, limited
    )


def _reached(places: Floats, wanted: Floats | float) -> NDArray[np.int64]:
    """Return the index of the last of ascending places that is at most ``wanted``, at least 0."""
    rounded_up = np.asarray(wanted) * (1 + 1e-12)  # sums of seconds differ by rounding
    return np.maximum(np.searchsorted(places, rounded_up, "right") - 1, 0)


def write_search_comparison(folder: Path, curves: Sequence[RegretCurve], by: str) -> list[str]:
    """Write ``searches.csv``, ``searches.tex``, ``searches.pdf`` and ``searches.png``.

    Returns:
        The names of the files.
    """
    axis = "trained_cells" if by == "runs" else "training_seconds"
    points = (
        [curve.name, curve.searches, *(f"{value:.9g}" for value in [x, *row])]
        for curve in curves
        for x, row in zip(curve.x.tolist(), curve.quartiles.T.tolist(), strict=True)
    )
    columns = ["method", "searches", axis, "q25", "median", "q75"]
    write_csv(folder / "searches.csv", columns, points)
    caption, columns, rows = summary(curves, by)
    table = latex_table(columns, rows, caption, "tab:searches")
    write_text(folder / "searches.tex", "% needs \\usepackage{booktabs}\n" + table)
    lines = {curve.name: (curve.x, curve.quartiles) for curve in curves}
    goal, thing = curves[0].goal, curves[0].thing
    metric = curves[0].regret_of if goal.is_accuracy else goal.heading
    chart = regret_chart(
        lines, _all_fractions(curves), by == "time", thing, metric, goal.larger_is_better
    )
    figure = draw_for_paper([chart], note=chart.note)
    for name in ("searches.pdf", "searches.png"):
        save_figure(figure, folder / name)
    return ["searches.csv", "searches.tex", "searches.pdf", "searches.png"]


def summary(curves: Sequence[RegretCurve], by: str) -> tuple[str, list[str], list[list[str]]]:
    """Return the regret at the end of each curve, and at the end of the first one, as a table.

    Returns:
        The caption, the names of the columns and the rows.
    """
    fractions, goal = _all_fractions(curves), curves[0].goal
    factor, of_regret = (100.0, "points") if fractions else (1.0, goal.unit)
    unit = f"trained {curves[0].thing}s" if by == "runs" else "training seconds"
    ends = sorted({round(float(curve.x[-1])) for curve in curves})
    columns = ["method", "searches", unit, "regret"]
    rows = [
        [
            curve.name,
            str(curve.searches),
            f"{curve.x[-1]:,.0f}",
            _median(curve, factor * curve.quartiles[:, -1]),
        ]
        for curve in curves
    ]
    if len(ends) > 1:  # at equal cost, too
        columns.append(f"after {ends[0]:,} {unit}")
        for row, curve in zip(rows, curves, strict=True):
            row.append(_median(curve, factor * curve.at(ends[0])))
    caption = (
        f"Regret{f' in {of_regret}' if of_regret else ''} where the shortest search of each method "
        f"ends: median and quartiles. Regret is how far the {curves[0].regret_of} of the answer "
        f"stays {'below' if goal.larger_is_better else 'above'} that of the best architecture "
        f"{'within the constraints' if curves[0].limited else 'of the table'}."
    )
    return caption, columns, rows


def _all_fractions(curves: Sequence[RegretCurve]) -> bool:
    return all(curve.fractions for curve in curves)


def _median(curve: RegretCurve, quartiles: Floats) -> str:
    """Return the median with its quartiles, which one search does not have."""
    # Points have three decimals. A latency has them, too, or three digits if it is small.
    places = ".3f" if curve.fractions or quartiles.max() >= 1 else ".3g"
    low, median, high = (format(value, places) for value in quartiles.tolist())
    return median if curve.searches == 1 else f"{median} [{low}, {high}]"
