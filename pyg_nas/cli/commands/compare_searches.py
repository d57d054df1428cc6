"""``pyg-nas compare-searches``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pyg_nas.cli.console import bold, print_line
from pyg_nas.cli.progress import working
from pyg_nas.errors import SettingsError
from pyg_nas.io.files import check_output_folder
from pyg_nas.io.text import counted


def compare_searches(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="FOLDER", help="Folders of `pyg-nas search`, also with --seeds, or 'runs/*'."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the results.")],
    by: Annotated[str, typer.Option(help="By runs (trained cells) or time.")] = "runs",
) -> None:
    """Compare searches of one table by their regret: CSV, LaTeX, PDF and PNG.

    Searches with equal method and settings and different random seeds become one curve: the
    median, with a band between the quartiles.

    Example: pyg-nas compare-searches runs/* --out comparison
    """
    from pyg_nas.report.text import duration
    from pyg_nas.search import comparison

    check_output_folder(out)
    folders = [
        folder for pattern in runs for found in _matching(pattern) for folder in _searches(found)
    ]
    with working("reading and drawing"):
        curves = comparison.compare_searches(folders, by)
        files = comparison.write_search_comparison(out, curves, by)
    caption, columns, rows = comparison.summary(curves, by)
    for curve, (_, _, _, regret, *_) in zip(curves, rows, strict=True):
        end, longest = (
            f"{last:,.0f} trained {curve.thing}s" if by == "runs" else duration(last)
            for last in (float(curve.x[-1]), curve.longest)
        )
        others = f", where the shortest ends; the longest has {longest}" if longest != end else ""
        print_line(
            f"{curve.name}: {counted(curve.searches, 'search', 'searches')}, to {end}{others}; "
            f"regret ",
            bold(regret),
        )
    for row in rows:
        for column, regret in zip(columns[4:], row[4:], strict=True):
            print_line(f"{row[0]}, {column}: regret ", bold(regret))
    print_line(caption)
    print_line(f"{', '.join(files)} in {out}")


def _matching(pattern: Path) -> list[Path]:
    """Return the folder, or those that match where a shell has left the pattern as it is.

    Raises:
        SettingsError: If none matches.
    """
    if pattern.exists():
        return [pattern]
    start = Path(pattern.anchor)
    try:
        found = [path for path in start.glob(str(pattern.relative_to(start))) if path.is_dir()]
    except ValueError:  # of a pattern such as runs** before Python 3.13
        found = []
    if not found and any(sign in str(pattern) for sign in "*?["):
        raise SettingsError(f"{pattern}: no folder matches this pattern")
    return sorted(found) or [pattern]


def _searches(folder: Path) -> list[Path]:
    """Return the folder, or those in it of a search with several seeds."""
    from pyg_nas.report.seed_summary import SEEDS, searches_of_seeds

    return searches_of_seeds(folder) if (folder / SEEDS).is_file() else [folder]
