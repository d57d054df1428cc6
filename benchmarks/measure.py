"""Train the seeds of a cell side by side, as measuring does, against one after the other."""

from __future__ import annotations

import argparse
from functools import partial

import torch

from benchmarks.measurement import interleaved, parsed, show, write_result
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.measure.tasks.digits import digits_task
from pyg_nas.measure.tasks.task import Task
from pyg_nas.measure.training.trainer import train


def train_together(cells: CellArray, task: Task, budget: int, seeds: int) -> None:
    for cell in cells:
        train(cell, task, budget, range(seeds))


def train_in_turn(cells: CellArray, task: Task, budget: int, seeds: int) -> None:
    for cell in cells:
        for seed in range(seeds):
            train(cell, task, budget, (seed,))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=4)
    parser.add_argument("--budget", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=2)
    arguments = parsed(parser, cells=2, repeats=1)
    torch.set_num_threads(1)
    cells, task = sample_cells(arguments.cells, seed=1), digits_task()
    rows = []
    for seeds in (3, 9):
        asked = (cells, task, arguments.budget, seeds)
        seconds = interleaved(
            {
                "side by side": partial(train_together, *asked),
                "one after the other": partial(train_in_turn, *asked),
            },
            arguments.repeats,
        )
        runs = len(cells) * seeds
        rows.append(
            {
                "seeds": seeds,
                "side_by_side_seconds_per_run": seconds["side by side"] / runs,
                "one_after_the_other_seconds_per_run": seconds["one after the other"] / runs,
                "speedup": seconds["one after the other"] / seconds["side by side"],
            }
        )
    show(
        f"Training on digits, {arguments.budget} epochs, seconds a run",
        ["seeds", "side by side", "one after the other", "times faster"],
        [
            [
                str(row["seeds"]),
                f"{row['side_by_side_seconds_per_run']:.3f}",
                f"{row['one_after_the_other_seconds_per_run']:.3f}",
                f"{row['speedup']:.2f}",
            ]
            for row in rows
        ],
    )
    write_result(
        "measure",
        {"cells": len(cells), "budget_epochs": arguments.budget, "rows": rows},
        arguments.results,
    )


if __name__ == "__main__":
    main()
