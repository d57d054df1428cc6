"""One self-contained HTML page of titles, figures and cells, with all texts escaped."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from pyg_nas.io.text import markup
from pyg_nas.report.gallery import Gallery
from pyg_nas.report.text import excerpt

_LONG = 40  # letters of a name that may be broken into lines


@dataclass(frozen=True)
class Tile:
    """One number at the top of the page."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Figure:
    """One interactive figure.

    Args:
        traces: Plotly traces. Colours ``"c0"`` to ``"c7"`` are replaced by the page's, which differ
            in light and dark mode; ``customdata`` of traces with ``meta="cells"`` are gallery
            numbers.
        layout: Plotly layout, without colours and fonts.
        hint: What a reader can do with it on a screen; it is not printed.
    """

    title: str
    note: str
    traces: list[dict[str, Any]]
    layout: dict[str, Any]
    hint: str = ""


@dataclass(frozen=True)
class CellTable:
    """The best cells: drawings and sortable figures.

    Args:
        cells: Gallery numbers, best first.
        rows: The figures of each cell: a number to sort by, or None, and its text.
        thing: Heading of the drawings: cell or network.
        hint: What a reader can do with it on a screen; it is not printed.
    """

    title: str
    note: str
    cells: list[int]
    columns: list[str]
    rows: list[list[tuple[float | None, str]]]
    thing: str = "cell"
    hint: str = ""


@dataclass(frozen=True)
class AnswerCard:
    """The answer of a search.

    Args:
        drawing: Its drawing, an ``<svg>``; empty if none was found.
        facts: Name, value and note of each of its figures.
        next_steps: Suggested next steps: a sentence, and a command or an empty text.
    """

    title: str
    drawing: str
    facts: list[Tile]
    next_steps: list[tuple[str, str]]


@dataclass
class Page:
    """The content of the report.

    Args:
        subtitle: One sentence below the heading.
        note: Warning about all figures; empty for none.
        answer: The card at the top, if the page has an answer.
        settings: Nested JSON values at the end: settings, protocol, seeds, versions.
    """

    title: str
    subtitle: str
    gallery: Gallery
    table: CellTable
    note: str = ""
    answer: AnswerCard | None = None
    tiles: list[Tile] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)


def render(page: Page) -> str:
    """Return the page as HTML that needs no other file and no network.

    All strings are escaped in the markup, and the data for the script are JSON without ``<``, ``>``
    and ``&``. A content security policy forbids all connections and all scripts except the page's
    own two.
    """
    from plotly.offline import get_plotlyjs

    plotly, script = get_plotlyjs(), _asset("report.js")
    policy = (
        f"default-src 'none'; script-src {_source(plotly)} {_source(script)}; "
        "style-src 'unsafe-inline'; img-src data: blob:"
    )
    parts = {
        "policy": markup(policy),
        "title": markup(page.title),
        "subtitle": markup(page.subtitle),
        "style": _asset("report.css"),
        "note": f'<p class="warning">{markup(page.note)}</p>' if page.note else "",
        "answer": "" if page.answer is None else _answer(page.answer),
        "tiles": "".join(map(_tile, page.tiles)),
        "figures": "".join(
            _figure(i, figure, wide=len(page.figures) % 2 == 1 and figure is page.figures[-1])
            for i, figure in enumerate(page.figures)
        ),
        "table": _table(page.table, page.gallery),
        "settings": _settings(excerpt(page.settings)),
        "data": _embedded_json(
            {
                "cells": page.gallery.to_dict(),
                "figures": [{"traces": f.traces, "layout": f.layout} for f in page.figures],
            }
        ),
        "plotly": plotly,
        "script": script,
    }
    # One pass, so that markers inside of inserted texts are not replaced.
    return re.sub(r"\{\{(\w+)\}\}", lambda marker: parts[marker[1]], _asset("page.html"))


def _asset(name: str) -> str:
    return (resources.files("pyg_nas.report") / "assets" / name).read_text(encoding="utf-8")


def _source(script: str) -> str:
    # Browsers hash a script's text with line ends normalised to "\n".
    text = script.replace("\r\n", "\n").replace("\r", "\n")
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _embedded_json(value: Any) -> str:
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _tile(tile: Tile) -> str:
    note = f"<small>{markup(tile.note)}</small>" if tile.note else ""
    return (
        f'<div class="tile"><span>{markup(tile.name)}</span>'
        f"<strong>{markup(tile.value)}</strong>{note}</div>"
    )


def _answer(card: AnswerCard) -> str:
    drawing = ""
    if card.drawing:
        # It has its full size while it has the focus.
        title = "Click to enlarge"
        drawing = f'<div class="drawing" tabindex="0" title="{title}">{card.drawing}</div>'
    facts = "".join(
        f"<dt>{markup(fact.name)}</dt><dd><strong>{markup(fact.value)}</strong> "
        f"{markup(fact.note)}</dd>"
        for fact in card.facts
    )
    steps = "".join(
        f"<li>{_prose(text)}{f'<code>{markup(command)}</code>' if command else ''}</li>"
        for text, command in card.next_steps
    )
    below = f"<h3>What to run next</h3><ul>{steps}</ul>" if steps else ""
    return (
        f'<section class="card answer" id="answer"><h2>{markup(card.title)}</h2>'
        f"<div>{drawing}<div><dl>{facts}</dl>{below}</div></div></section>"
    )


def _prose(text: str) -> str:
    """Return a sentence whose options, such as ``--rounds``, are not broken into lines."""
    return re.sub(r"--[\w-]+", r'<span class="option">\g<0></span>', markup(text))


def _note(shown: Figure | CellTable) -> str:
    hint = f' <span class="hint">{markup(shown.hint)}</span>' if shown.hint else ""
    return f'<p class="note">{markup(shown.note)}{hint}</p>'


def _figure(number: int, figure: Figure, wide: bool) -> str:
    """Return a figure; two are side by side, and a single last one is ``wide``."""
    return (
        f'<section class="card{" wide" if wide else ""}"><h2>{markup(figure.title)}</h2>'
        f"{_note(figure)}"
        f'<div class="figure" id="figure-{number}" role="img" '
        f'aria-label="{markup(figure.title)}"></div></section>'
    )


def _entry(key: float | None, text: str) -> str:
    order = "" if key is None else repr(float(key))
    kind = ' class="long"' if len(text) > _LONG else ""
    return f'<td data-sort="{order}"{kind}>{markup(text)}</td>'


def _table(table: CellTable, gallery: Gallery) -> str:
    if not table.cells:
        return ""
    heads = "".join(
        f'<th scope="col" aria-sort="none"><button type="button">{markup(name)}</button></th>'
        for name in ["rank", *table.columns]
    )
    rows = []
    for rank, (cell, figures) in enumerate(zip(table.cells, table.rows, strict=True), start=1):
        columns = "".join(_entry(key, text) for key, text in [(float(rank), str(rank)), *figures])
        rows.append(
            f'<tr data-cell="{cell}"><td class="drawing">{gallery.svg(cell)}</td>{columns}</tr>'
        )
    return (
        f'<section class="card wide"><h2>{markup(table.title)}</h2>'
        f'{_note(table)}<div class="scroll"><table id="best">'
        f'<thead><tr><th scope="col">{table.thing}</th>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div></section>"
    )


def _settings(value: Any) -> str:
    """Return nested values as nested lists of definitions."""
    if isinstance(value, dict):
        items = "".join(
            f"<dt>{markup(name)}</dt><dd>{_settings(inner)}</dd>" for name, inner in value.items()
        )
        return f"<dl>{items}</dl>" if items else "none"
    if isinstance(value, list):
        return ", ".join(_settings(inner) for inner in value) if value else "none"
    return markup("not set" if value is None else value)
