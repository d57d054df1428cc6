"""The paper's recipe on one training split over several draws, for the split scripts.

Run ``i`` draws its training cells with split seed ``i`` and trains with seed ``i``; run 0 has the
reproduction's own permutation. Every run is evaluated on all cells and on both denoised splits,
always without its training cells. Results are written after each run, and a run that is in the
file already is not repeated.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated

import typer

from pyg_nas.data.protocols.protocol import Protocol
from pyg_nas.data.tables.sources import open_table
from pyg_nas.io.files import write_text
from pyg_nas.predictors.gnn.gcn import paper_width
from pyg_nas.predictors.trained import TrainedPredictor

RESULTS = Path(__file__).parent / "results"
REAL_SAMPLE = Path("../shared/data/nasbench101_20k.hdf5")
EVALUATED = ("all", "denoise-80", "denoise-91")


def run_split(split: str, name: str | None = None, **settings: float) -> None:
    """Define and run the command line of one script.

    Args:
        split: Training split.
        name: Of the result file; the split's by default.
        settings: Differences from the paper's recipe.
    """

    def main(
        table: Annotated[Path, typer.Argument(help="A NAS-Bench-101 table.")] = REAL_SAMPLE,
        runs: Annotated[int, typer.Option(help="Draws of training cells.")] = 5,
        out: Annotated[Path | None, typer.Option(help="Result file, if not the usual one.")] = None,
    ) -> None:
        path = out or RESULTS / f"paper_{name or split}.json"
        opened = open_table(table)
        result = {
            "recipe": "paper",
            "settings": {"hidden": paper_width(int(split.rpartition("-")[2])), **settings},
            "train": split,
            "table": table.name,
            "cells": len(opened),
            "label": opened.default_label.to_dict(),
            "runs": [],
        }
        if path.exists():
            earlier = json.loads(path.read_text())
            if {**earlier, "runs": []} != result:
                raise SystemExit(
                    f"{path} has runs of another table or of other settings; name another file "
                    f"with --out"
                )
            result = earlier
        for seed in range(len(result["runs"]), runs):
            protocol = Protocol(train=split, split_seed=seed, label=opened.default_label)
            start = time.perf_counter()
            model = TrainedPredictor.train(opened, protocol, "paper", seed, **result["settings"])
            seconds = time.perf_counter() - start
            figures = {name: model.evaluate(opened, name).figures() for name in EVALUATED}
            result["runs"].append(
                {
                    "seed": seed,
                    "training_cells": len(model.training_hashes),
                    "training_seconds": round(seconds, 2),
                    "figures": figures,
                }
            )
            write_text(path, json.dumps(result, indent=1) + "\n")
            every = figures["all"]
            print(
                f"{split} run {seed}: mse {every['mse']:.2f}, tau {every['kendall_tau']:.3f} on "
                f"{every['n']:,} cells; denoise-91 mse {figures['denoise-91']['mse']:.2f}"
            )
        print(f"{len(result['runs'])} runs are in {path}")

    typer.run(main)
