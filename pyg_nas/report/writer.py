"""HTML reports on a trained predictor or a search: one file that needs no network."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from pyg_nas.errors import ModelError, SettingsError
from pyg_nas.io.files import check_input_folder, write_text
from pyg_nas.io.text import counted, folder_name


def write_report(
    source: str | os.PathLike[str],
    table: str | os.PathLike[str] | None,
    out: str | os.PathLike[str],
    *,
    learning_curve: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write the report on a model folder or a search folder.

    Args:
        source: A folder of ``pyg-nas train``, which requires a table, or of ``pyg-nas search``.
        table: Table or graph file.
        out: The HTML file.
        learning_curve: Also train a predictor on parts of its training cells.
        progress: Called before each of these fits with the number of finished fits and of all.

    Raises:
        PygNasError: If a folder or file is missing, damaged or does not fit the others.
    """
    from pyg_nas.data.tables.sources import open_any_table, open_table
    from pyg_nas.report.page import render
    from pyg_nas.report.seed_summary import REGRET
    from pyg_nas.search.search_folder.folder import ASKED, QUERIES
    from pyg_nas.search.search_folder.settings import SETTINGS

    folder = Path(source)
    check_input_folder(folder, ModelError)
    if (folder / ASKED).exists() or (folder / QUERIES).exists():
        from pyg_nas.report.searches import search_page

        page = search_page(folder, None if table is None else open_table(table))
    elif seeds := sorted(path.parent for path in folder.glob(f"seed-*/{QUERIES}")):
        raise SettingsError(
            f"{folder}: contains {counted(len(seeds), 'search', 'searches')} with different seeds; "
            f"report on one of them, such as {seeds[0]}; {REGRET} has the regret of all"
        )
    else:
        from pyg_nas.predictors.storage.header import ModelHeader
        from pyg_nas.predictors.trained import TrainedPredictor

        if not (folder / SETTINGS).exists():
            raise ModelError(f"{folder}: is neither the folder of a model nor that of a search")
        # What is wrong here is refused before torch is imported.
        header = ModelHeader.read(folder)
        if table is None:
            raise SettingsError(f"{folder}: the report on a model needs a table as well")
        header.require_protocol()
        opened = open_any_table(table, header.graph_space)
        header.check_space(opened.space)
        from pyg_nas.report.predictions import prediction_page

        model = TrainedPredictor.from_header(header)
        page = prediction_page(
            model, opened, folder_name(folder), Path(table).name, learning_curve, progress
        )
    write_text(out, render(page))
