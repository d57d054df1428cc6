"""What fitting and scoring cost, in processor seconds of one thread.

    OMP_NUM_THREADS=1 python experiments/best_cost.py [TABLE] [--cells 20000]

Scoring is timed on the first cells of the space and extrapolated to all of it in proportion.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated

import torch
import typer
from best_runs import METHODS, REAL_SAMPLE, RESULTS, report_half

from pyg_nas.enumeration import nasbench101_cells
from pyg_nas.features import cell_features
from pyg_nas.files import write_text
from pyg_nas.labels import PAPER_LABEL
from pyg_nas.table import Table


def main(
    table: Annotated[Path, typer.Argument(help="The real sample.")] = REAL_SAMPLE,
    cells: Annotated[int, typer.Option(help="Cells of the space that are scored.")] = 20_000,
) -> None:
    torch.set_num_threads(1)
    loaded = Table.load(table)
    train = report_half(loaded)[:172]
    labels = loaded.label(PAPER_LABEL)[train]
    space = nasbench101_cells()
    scored = space[:cells]
    start = time.process_time()
    cell_features(scored)
    share = len(space) / cells
    result: dict[str, object] = {
        "train": 172,
        "threads": 1,
        "scored": cells,
        "statistics_of_the_space_seconds": round((time.process_time() - start) * share, 1),
    }
    for method in ("fast", "best"):
        start = time.process_time()
        model = METHODS[method](0).fit(loaded.cells[train], labels)
        fitted = time.process_time()
        model.predict(scored)
        result[method] = {
            "fit_seconds": round(fitted - start, 2),
            "score_the_space_seconds": round((time.process_time() - fitted) * share, 1),
        }
    write_text(RESULTS / "best_cost.json", json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    typer.run(main)
