"""Cells in notebooks: a drawing, or a table of the first rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from pyg_nas.io.text import markup
from pyg_nas.visualization.cells import cell_svg

if TYPE_CHECKING:
    from pyg_nas.graphs.cell import Cell

MOST_ROWS = 5
_SMALL = '<svg style="max-height:140px;max-width:200px" '


def figures_html(title: str, figures: Mapping[str, float]) -> str:
    """Return an HTML table with a row for each figure."""
    body = "".join(
        f"<tr><td>{markup(name.replace('_', ' '))}</td><td>{markup(_shown(value))}</td></tr>"
        for name, value in figures.items()
    )
    return f"<div><p>{markup(title)}</p><table><tbody>{body}</tbody></table></div>"


def row_html(title: str, cell: Cell, figures: Mapping[str, float | None]) -> str:
    """Return an HTML table of one drawing and the figures that are known."""
    known = {name.replace("_", " "): v for name, v in figures.items() if v is not None}
    return rows_html(title, tuple(known), [(cell, [*map(_shown, known.values())])], total=1)


def _shown(figure: float) -> str:
    return f"{figure:,}" if isinstance(figure, int) else f"{figure:.4g}"


def rows_html(
    title: str, columns: Sequence[str], rows: Iterable[tuple[Cell, Sequence[object]]], total: int
) -> str:
    """Return an HTML table of drawings and figures; all texts are escaped.

    Args:
        columns: Names of the figures.
        rows: Cells and their figures; the first :data:`MOST_ROWS` are shown.
        total: Number of all rows.
    """
    head = "".join(f"<th>{markup(name)}</th>" for name in ("cell", *columns))
    body = "".join(
        f"<tr><td>{cell_svg(cell).replace('<svg ', _SMALL, 1)}</td>"
        + "".join(f"<td>{markup(value)}</td>" for value in values)
        + "</tr>"
        for cell, values in islice(rows, MOST_ROWS)
    )
    more = total - MOST_ROWS
    below = f"<p>… {more:,} more</p>" if more > 0 else ""
    return (
        f"<div><p>{markup(title)}</p><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table>{below}</div>"
    )
