"""The width that cross validation picks from N training cells alone, beside the paper's.

    python experiments/tune_width.py TABLE [--sizes 43,86,129,172]

Five folds; three repeats up to 86 cells and one above, where fits take long. Every fit is kept
in ``results/tune_width_<N>.fits.jsonl``, so a stopped run resumes; the choices of all sizes that
are finished are in ``results/tune_width.json``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from pyg_nas.data.protocols.labels import PAPER_LABEL
from pyg_nas.data.protocols.protocol import Protocol
from pyg_nas.data.tables.table import Table
from pyg_nas.io.files import write_text
from pyg_nas.predictors.gnn.gcn import PAPER_WIDTHS
from pyg_nas.predictors.model_selection.candidates import width_candidates
from pyg_nas.predictors.model_selection.tuning import TuneSettings, tune
from pyg_nas.predictors.recipes import make_estimator

RESULTS = Path(__file__).parent / "results"
MANY_REPEATS_UP_TO = 86


def main(
    table: Path,
    sizes: Annotated[str, typer.Option()] = ",".join(map(str, PAPER_WIDTHS)),
) -> None:
    loaded = Table.load(table)
    path = RESULTS / "tune_width.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    for n in map(int, sizes.split(",")):
        split = Protocol(train=str(n), label=PAPER_LABEL).apply(loaded)
        settings = TuneSettings(folds=5, repeats=3 if n <= MANY_REPEATS_UP_TO else 1)
        estimator = make_estimator("paper", PAPER_LABEL, device="cpu")
        result = tune(
            estimator,
            width_candidates("paper"),
            loaded.cells[split.train],
            split.train_labels,
            settings,
            fits_file=RESULTS / f"tune_width_{n}.fits.jsonl",
            on_fit=lambda done, total, n=n: print(f"{n} cells: {done} of {total} fits", flush=True),
        )
        found[str(n)] = {"paper": PAPER_WIDTHS.get(n), "table": table.name, **result.to_dict()}
        write_text(path, json.dumps(found, indent=1) + "\n")
        for candidate in found[str(n)]["candidates"]:
            print(n, candidate["params"], candidate["mean"], candidate["standard_error"])
        print(n, "chosen", result.chosen, "best", result.best, "paper", PAPER_WIDTHS.get(n))


if __name__ == "__main__":
    typer.run(main)
