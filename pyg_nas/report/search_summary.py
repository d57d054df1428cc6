"""The files that a finished search writes to its folder: answer, drawing, curves and a report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pyg_nas.graphs.cell import Cell
from pyg_nas.io.files import write_json, write_text
from pyg_nas.io.text import counted, markdown
from pyg_nas.report.network_drawings import network_drawings
from pyg_nas.report.search_facts import COST_NAMES, SearchFacts
from pyg_nas.report.text import excerpt, rounded
from pyg_nas.search.domain import identifier, lists_networks
from pyg_nas.search.search_folder.folder import ANSWER
from pyg_nas.search.search_folder.settings import SearchSettings
from pyg_nas.visualization.cells import cell_drawing
from pyg_nas.visualization.drawing import figure
from pyg_nas.visualization.files import save_figure
from pyg_nas.visualization.plots import draw_charts

CURVES, DRAWING, REPORT = "curves.svg", "answer.svg", "report.md"

_FEWEST_WITHOUT_DECIMALS = 100


def write_search_summary(
    folder: Path, facts: SearchFacts, settings: SearchSettings
) -> dict[str, Any]:
    """Write ``answer.json``, ``answer.svg``, ``curves.svg``, Pareto plots and ``report.md``.

    Args:
        folder: The search's folder.
        settings: The search's settings, for the report.

    Returns:
        The content of ``answer.json``: :meth:`SearchResult.to_dict` and the Pareto fronts.
    """
    result = facts.result
    summary = result.to_dict()
    summary["pareto"] = {
        name: [facts.queries[i].cell.hash for i in front.tolist()]
        for name, front in facts.fronts.items()
    }
    pictures = {}
    if facts.queries:
        trained = counted(len(facts.queries), f"trained {facts.thing}")
        for name, chart in facts.pareto_charts().items():
            title = f"{trained}: {facts.goal.name}"
            pictures[f"pareto-{name}.svg"] = draw_charts([chart], title=title, size=(6.4, 4.4))
        if curves := facts.search_charts():
            pictures[CURVES] = draw_charts(curves)
    for file, picture in pictures.items():
        save_figure(picture, folder / file)
    if result.answer is not None:
        draw = network_drawings(folder, result.answer.cell.space) or cell_drawing
        save_figure(figure(draw(result.answer.cell)), folder / DRAWING)
    write_text(folder / REPORT, report_text(facts, sorted(pictures), settings))
    # Last: if it exists, all other files do.
    write_json(folder / ANSWER, summary)
    return summary


def report_text(facts: SearchFacts, pictures: list[str], settings: SearchSettings) -> str:
    """Return the report in Markdown.

    Args:
        pictures: Files of the charts in the same folder.
    """
    answer = facts.result.answer
    lines = ["# Search", "", f"**{facts.title}**", ""]
    if answer is not None:
        lines += [f"![The {facts.thing} that was found]({DRAWING})", ""]
    lines += ["| | | |", "|---|---|---|"]
    lines += [
        f"| {markdown(fact.name)} | {markdown(fact.value)} | {markdown(fact.note)} |"
        for fact in [*facts.answer(), *facts.cost()]
    ]
    lines += ["", *(f"![{Path(name).stem}]({name})" for name in pictures)]
    unit = facts.unit or (f", {facts.goal.unit}" if facts.goal.unit else "")
    for name, front in facts.fronts.items():
        cost_name, cost = COST_NAMES[name], facts.costs[name]
        lines += ["", f"## Pareto front: {markdown(facts.goal.score)} and {cost_name}", ""]
        lines += [
            f"| {facts.thing} | {markdown(facts.goal.name + unit)} | {cost_name} |",
            "|---|---|---|",
        ]
        lines += [
            f"| {_identified(facts.queries[i].cell)} | {rounded(facts.factor * facts.accuracy[i])} "
            f"| {_amount(cost[i])} |"
            for i in front.tolist()
        ]
    # A name could close a fence, so the code is indented. JSON escapes what is not ASCII.
    text = json.dumps(excerpt(settings.named_as_options()), indent=2)
    lines += ["", "## Settings", "", *(f"    {line}" for line in text.splitlines()), ""]
    return "\n".join(lines)


def _amount(cost: float) -> str:
    return f"{cost:,.0f}" if cost >= _FEWEST_WITHOUT_DECIMALS else f"{cost:.3g}"


def _identified(cell: Cell) -> str:
    """Return the hash of a cell as code, or the name of a listed network."""
    text = identifier(cell)
    return markdown(text) if lists_networks(cell.space) else f"`{text}`"
