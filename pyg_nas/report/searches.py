"""The report on a search: its goal, its answer, and their cost."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pyg_nas.data.protocols.labels import LabelPolicy
from pyg_nas.graphs.registry import space_names
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.io.text import counted, folder_name
from pyg_nas.measure.tasks.objective import SCORES
from pyg_nas.report.columns import cell_table, make_gallery
from pyg_nas.report.network_drawings import network_drawings
from pyg_nas.report.page import AnswerCard, Page
from pyg_nas.report.plotly_charts import plotly_figure
from pyg_nas.report.search_facts import SearchFacts
from pyg_nas.search.domain import lists_networks
from pyg_nas.search.goal import Goal
from pyg_nas.search.search_folder.stored import StoredSearch, stored_latency
from pyg_nas.version import __version__
from pyg_nas.visualization.cells import cell_drawing
from pyg_nas.visualization.drawing import Drawing, svg

if TYPE_CHECKING:
    from pyg_nas.data.tables.table import Table
    from pyg_nas.graphs.cell import Cell

_BEST = 10


def search_page(folder: Path, table: Table | None = None) -> Page:
    """Return the report on a search folder.

    Args:
        folder: Contains ``settings.json`` and ``queries.jsonl``, and ``answer.json`` if the search
            has finished.
        table: The table that was searched; it provides the space if the settings lack it, and the
            runs of the answer for a confidence interval.

    Raises:
        SettingsError: If a file is missing or damaged, or no cell has been trained yet.
    """
    search = StoredSearch.read(folder, None if table is None else table.space)
    search.check_trained()
    settings, space, result = search.settings, search.space, search.result
    runs = _answer_runs(search, table)
    facts = SearchFacts(result, runs, settings.runs_note, stored_latency(folder))
    rows = np.arange(len(facts.queries))
    cells = [query.cell for query in facts.queries]
    draw = network_drawings(folder, space)
    gallery, numbers = make_gallery(space, cells, facts.columns, rows, draw)
    best = np.argsort(-result.history.gains, kind="stable")[:_BEST]
    return Page(
        title=_title(search),
        subtitle=f"{_trained(len(rows), space)} trained.{_unfinished(search)}",
        gallery=gallery,
        answer=_answer_card(search, facts, draw or cell_drawing),
        table=cell_table(
            f"The {len(best)} best trained {facts.thing}s"
            if len(best) > 1
            else f"The trained {facts.thing}",
            facts.columns,
            best,
            numbers,
            f"not known; {facts.thing}s of the random start have no prediction"
            if np.isnan(facts.predicted[best]).any()
            else "",
            facts.thing,
        ),
        tiles=facts.cost(),
        figures=[plotly_figure(chart, numbers, facts.thing) for chart in facts.charts()],
        settings={**settings.named_as_options(), "pyg_nas": __version__},
    )


def _title(search: StoredSearch) -> str:
    """Return what was searched and how; a search of the user's own code has its folder's name."""
    settings = search.settings
    name = folder_name(search.folder) if settings.target is None else settings.target
    return f"Search: {name}{f', by {settings.method}' if settings.method else ''}"


def _trained(count: int, space: SearchSpace) -> str:
    if lists_networks(space):
        return f"{count:,} of {counted(len(space.operations), 'listed network')}"
    return f"{counted(count, 'cell')} of {space.name}"


def _unfinished(search: StoredSearch) -> str:
    # The user's own code asks and tells without a limit of queries.
    ends = search.finished or search.settings.kind == "external"
    return "" if ends else " The search has not finished."


def _answer_card(
    search: StoredSearch, facts: SearchFacts, draw: Callable[[Cell], Drawing]
) -> AnswerCard:
    answer, target = facts.result.answer, search.settings.target
    kind = search.settings.kind
    # Runs where the report was written; a page that is passed on names no folders of this machine.
    called = folder_name(search.folder)
    folder = Path(called) if search.folder.is_absolute() else search.folder
    name = shlex.quote(str(folder))
    steps = []
    if kind == "external":
        steps.append((f"Get more {facts.thing}s to train:", f"pyg-nas ask {name}"))
    elif not search.finished:
        steps.append(("Run the same command again to resume the search.", ""))
    elif not facts.result.exhausted:
        steps.append(("Run the same command with more --rounds to train more.", ""))
    if answer is not None and kind == "measure":
        network = shlex.quote(str(folder.parent / f"{called}-network"))
        command = f"pyg-nas finish {name} --out {network}"
        text = f"Confirm the best cells with more runs and export a network{_named_again(search)}:"
        steps.append((text, command))
    # Networks of a table have one label each, cells may have several runs.
    looked_up = kind == "table" and not lists_networks(search.space) and facts.goal == Goal()
    if answer is not None and looked_up and target is not None and not facts.answer_runs:
        command = f"pyg-nas report {name} {shlex.quote(target)}"
        steps.append(("Add an interval of the accuracy from the runs in the table:", command))
    drawing = "" if answer is None else svg(draw(answer.cell))
    return AnswerCard(facts.title, drawing, facts.answer(), steps)


def _named_again(search: StoredSearch) -> str:
    """Return in words which code a command needs that only the user may name."""
    needed = {
        "--space": search.space.name not in space_names(),
        "--metric": search.settings.goal.score not in SCORES,
    }
    options = [option for option, is_own in needed.items() if is_own]
    return f", with {' and '.join(options)} as for the search" if options else ""


def _answer_runs(search: StoredSearch, table: Table | None) -> Sequence[float]:
    """Return validation accuracies of the answer's runs at the budget of the search's label.

    There is none if the search is for another label.
    """
    goal, answer = search.result.goal, search.result.answer
    if answer is None or table is None:
        return ()
    if goal not in (Goal(), Goal.of_label(table, LabelPolicy())):  # accuracy, or its own R²
        return ()
    label = replace(LabelPolicy.from_dict(search.settings.label), resample_below=None)
    drawings = (table.hashes == answer.cell.hash.encode()) & ~np.isnan(table.label(label))
    if not drawings.any():
        return ()
    row = drawings.argmax()  # of several drawings a search takes the first
    runs = [table.label(replace(label, run=run))[row] for run in range(table.num_runs)]
    return [float(value) for value in runs if np.isfinite(value)]
