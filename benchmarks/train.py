"""The paper's recipe on 172 cells: one model and an ensemble, against the plain training loop."""

from __future__ import annotations

import argparse
import os
from functools import partial

import torch

from benchmarks.measurement import interleaved, parsed, show, write_result
from benchmarks.reproduction import CellDictionaries, train_plainly
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.nn.gcn import GCN
from pyg_nas.predictors.gnn.gcn import GCNRegressor

CELLS, EPOCHS = 172, 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="epochs timed of the 300")
    parser.add_argument("--members", type=int, nargs="+", default=[1, 10])
    arguments = parsed(parser, repeats=2, epochs=60)
    torch.set_num_threads(arguments.threads)
    cells = sample_cells(CELLS, seed=0)
    # Time does not depend on the labels; these are structured and need no measurement.
    y = cells.trainable_parameters() / 5e7
    plain = CellDictionaries(cells, y)
    contenders = {"plain loop": lambda: train_plainly(GCN(5, 144), plain, arguments.epochs, EPOCHS)}
    for members in arguments.members:
        estimator = GCNRegressor(hidden=144, ensemble_size=members, epochs=arguments.epochs)
        contenders[f"ensemble of {members}" if members > 1 else "one model"] = partial(
            estimator.fit, cells, y
        )
    seconds = interleaved(contenders, arguments.repeats)
    seconds = {name: value * EPOCHS / arguments.epochs for name, value in seconds.items()}
    baseline = seconds["plain loop"]
    show(
        f"Training on {CELLS} cells for {EPOCHS} epochs, width 144",
        ["way", "s", "plain loop of one model / this"],
        [[name, f"{value:.2f}", f"{baseline / value:.2f}"] for name, value in seconds.items()],
    )
    write_result(
        "train",
        {
            "cells": CELLS,
            "epochs": EPOCHS,
            "epochs_timed": arguments.epochs,
            "repeats": arguments.repeats,
            "seconds": seconds,
            "plain_loop_of_one_model_over_this": {n: baseline / s for n, s in seconds.items()},
        },
        arguments.results,
    )


if __name__ == "__main__":
    main()
