"""Options and arguments that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pyg_nas.compute.workers import MOST_WORKERS
from pyg_nas.errors import SettingsError
from pyg_nas.io.limits import MOST_SEED

TablePath = Annotated[
    Path, typer.Argument(metavar="TABLE", help="Table (.hdf5) or graph file (.jsonl).")
]
GraphSpace = Annotated[
    str | None,
    typer.Option(
        "--space",
        help="Search space of a graph file: nasbench101, or plain for graphs that are not cells; "
        "by default recognized by the operations' names.",
    ),
]
SplitSeed = Annotated[int, typer.Option(min=0, max=MOST_SEED, help="Random seed of the split.")]
LearnedBudget = Annotated[
    int | None,
    typer.Option(help="Use measurements after so many epochs; by default the most in the table."),
]
LearnedRun = Annotated[
    str | None,
    typer.Option(help="Use the measurements of this run, 0, 1, ..., or the mean of all runs."),
]


def _some_jobs(jobs: int) -> int:
    if jobs == 0:
        raise SettingsError("--jobs must be a number of processes, or -1 for all cores; got 0")
    return jobs


Jobs = Annotated[
    int,
    typer.Option(
        min=-1,
        max=MOST_WORKERS,
        callback=_some_jobs,
        help="Fits at a time; -1 for one on each core.",
    ),
]
Device = Annotated[
    str, typer.Option(help="cpu, cuda, cuda:1, or auto: a CUDA device where there is one.")
]
