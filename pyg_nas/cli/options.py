"""Options and arguments of several commands, and the checks that need no other input."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pyg_nas.cli.console import print_note
from pyg_nas.compute.workers import MOST_WORKERS
from pyg_nas.errors import SettingsError, listed, quoted
from pyg_nas.io.callbacks import check_logger
from pyg_nas.io.files import check_output
from pyg_nas.io.limits import MOST_DIGITS, MOST_IMAGE_SIDE, MOST_SEED

if TYPE_CHECKING:
    from pyg_nas.data.protocols.labels import LabelPolicy
    from pyg_nas.data.tables.sources import AnyTable


def seed_option(text: str, *names: str) -> Any:
    """Return the option of a random seed with this help, named as its parameter by default."""
    return typer.Option(*names, min=0, max=MOST_SEED, help=text)


TablePath = Annotated[
    Path, typer.Argument(metavar="TABLE", help="Table (.hdf5) or graph file (.jsonl).")
]
GraphSpace = Annotated[
    str | None,
    typer.Option(
        "--space",
        help="Search space of a graph file, such as nasbench201, or plain for graphs that are not "
        "cells; by default recognized by the operations' names.",
    ),
]
Configurations = Annotated[
    Path | None,
    typer.Option(
        help="For a builder function: JSON file with a list of objects, or .jsonl with one object "
        "per line; each object has the arguments of one call."
    ),
]
Readers = Annotated[
    int,
    typer.Option(
        "--workers",
        max=MOST_WORKERS,
        help="Processes that read the graphs of networks; -1 for one on each core.",
    ),
]
SplitSeed = Annotated[int, seed_option("Random seed of the split.")]
LearnedBudget = Annotated[
    int | None,
    typer.Option(
        help="Use runs of this number of epochs; by default the largest budget of the table."
    ),
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
        help="Number of fits at the same time; -1 for one on each core.",
    ),
]
OwnRecipe = Annotated[
    str | None,
    typer.Option(
        "--recipe",
        metavar="MODULE:CLASS",
        help="Your own predictor, such as my_file.py:Mine, if the model was trained with one.",
    ),
]
Device = Annotated[
    str, typer.Option(help="cpu, cuda, cuda:1, or auto: a CUDA device where there is one.")
]
Backend = Annotated[str, typer.Option(help="sequential, threading, loky, ray or dask.")]


def _checked_log(log: str | None) -> str | None:
    if log is not None:
        check_logger(log)
    return log


Log = Annotated[
    str | None,
    typer.Option(
        callback=_checked_log,
        help="Also log to tensorboard:DIR, wandb:PROJECT or mlflow:URI, each an extra of the "
        "package. If logging fails, a warning is printed and the work continues.",
    ),
]

# Limits on what a search may return.
MaxParams = Annotated[
    int | None, typer.Option(min=1, help="Never propose cells with more trainable parameters.")
]
MaxMacs = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Never propose cells whose network needs more multiply-accumulates (MACs) per image.",
    ),
]
MaxTrainingTime = Annotated[
    float | None, typer.Option(help="Longest training time, in seconds, that the answer may have.")
]
MaxTime = Annotated[float | None, typer.Option(hidden=True)]
"""Name of the same option in version 0.1."""

# Options of a task.
TrainingSettingsFile = Annotated[
    Path | None, typer.Option(help="JSON file of training settings that replace the task's own.")
]
ImageSize = Annotated[
    int | None,
    typer.Option(
        help="Resize the images of a folder to this many pixels per side.",
        min=1,
        max=MOST_IMAGE_SIDE,
    ),
]
Metric = Annotated[
    str | None,
    typer.Option(
        metavar="MODULE:FUNCTION",
        help="Function of (labels, predictions) in place of accuracy, larger is better: "
        "my_file.py:score or sklearn.metrics:cohen_kappa_score.",
    ),
]
ImageSplitSeed = Annotated[
    int, seed_option("Random seed of the split of the images.", "--split-seed")
]


def refuse(options: Mapping[str, Any], reason: str) -> None:
    """Refuse the first of these options that was given, which is not None.

    Raises:
        SettingsError: If one was.
    """
    for option, value in options.items():
        if value is not None:
            raise SettingsError(f"{option} {reason}")


def note_unused(options: Mapping[str, Any], reason: str) -> None:
    """Print which of these options were given although they are not used.

    It is for options that scripts give to several methods alike.
    """
    given = [option for option, value in options.items() if value is not None]
    if given:
        print_note(f"not used: {listed(given)}, {reason}")


def longest_training(max_training_time: float | None, max_time: float | None) -> float | None:
    """Return the limit on the training time, whichever of its two options was used.

    Raises:
        SettingsError: If both were used, or it is not a time above 0.
    """
    if max_training_time is not None and max_time is not None:
        raise SettingsError(
            "--max-time is the old name of --max-training-time: give one of them, not both"
        )
    seconds = max_time if max_training_time is None else max_training_time
    if seconds is not None and not 0 < seconds < math.inf:
        raise SettingsError(
            f"--max-training-time must be a number of seconds above 0, got {seconds:g}"
        )
    return seconds


def import_own(recipe: str | None) -> None:
    """Import the class of a user's own predictor, so that models of it can be read.

    Raises:
        SettingsError: If it is the name of a recipe, or cannot be imported.
    """
    from pyg_nas.predictors.storage.registry import class_named

    if recipe is None:
        return
    if ":" not in recipe:
        raise SettingsError(
            f"--recipe {quoted(recipe)} must be module:Class or file.py:Class of a predictor of "
            f"yours; other models need no --recipe"
        )
    class_named(recipe)


def check_settings_file(path: Path | None) -> None:
    """Check a file of training settings before cells and images are read.

    Raises:
        SettingsError: If it cannot be read, or a setting is unknown or breaks its rule.
    """
    from pyg_nas.measure.settings import TrainingSettings

    if path is not None:
        TrainingSettings().changed_by_file(path)


def check_split_seed(task: str, split_seed: int) -> None:
    """Refuse a random seed of the split for a task that is always split in the same way.

    Raises:
        SettingsError: If one is given.
    """
    if not split_seed:
        return
    from pyg_nas.measure.tasks.by_name import FIXED_SPLIT

    if task in FIXED_SPLIT:
        raise SettingsError(f"--split-seed {split_seed}: {task} is always split in the same way")


def check_drawn(split_seed: int, *splits: str) -> None:
    """Refuse a random seed of splits that have the same cells with every seed.

    Raises:
        SettingsError: If one is given and no split depends on it.
    """
    from pyg_nas.data.protocols.protocol import UNTRAINED
    from pyg_nas.data.protocols.splits import is_random

    used = dict.fromkeys(split for split in splits if split != UNTRAINED)
    if split_seed and not any(map(is_random, used)):
        have = "has" if len(used) == 1 else "have"
        raise SettingsError(
            f"--split-seed {split_seed}: {' and '.join(used)} {have} the same cells with every "
            f"random seed"
        )


def named_files(*names: str | None) -> list[Path]:
    """Return the files among names that options take: splits, graph files and the user's code.

    Args:
        names: As ``172``, ``train.npz:172``, ``cells.jsonl``, ``file.py:NAME`` or ``nasbench101``.
    """
    from pyg_nas.data.protocols.split_file import SUFFIXES
    from pyg_nas.scoring.source import GRAPH_FILES

    given = [name for name in names if name is not None]
    paths = [Path(part) for name in given for part in (name, name.rpartition(":")[0])]
    endings = (*SUFFIXES, *GRAPH_FILES, ".py")
    return [path for path in paths if path.suffix.lower() in endings]


def check_table_output(path: Path, *inputs: str | Path | None) -> None:
    """Check that a table can be written, before the work that produces it.

    Args:
        path: The table.
        inputs: Files and folders that the work reads.

    Raises:
        SettingsError: If commands would not read ``path`` as a table, or it cannot be written.
    """
    from pyg_nas.io.formats.hdf5 import HDF5_SUFFIXES

    if path.suffix not in HDF5_SUFFIXES:
        raise SettingsError(f"{path}: a table's name must end in {' or '.join(HDF5_SUFFIXES)}")
    check_output(path, *inputs)


def check_label(metric: str | None, budget: int | None, run: str | None) -> None:
    """Check the options of a label before any table is read.

    Raises:
        SettingsError: If one is outside its rule.
    """
    from pyg_nas.data.protocols.labels import LabelPolicy

    chosen_label(LabelPolicy(), metric, budget, run)


def chosen_label(
    default: LabelPolicy, metric: str | None, budget: int | None, run: str | None
) -> LabelPolicy:
    """Return the default label, changed by the options of the user.

    With another metric or budget, the fallback label of the default has no meaning, and at another
    budget a low accuracy does not mean a failed run. Both are then switched off.

    Raises:
        SettingsError: If one is outside its rule, or a budget or run is given for a table of
            networks or for a target, which is no result of training runs.
    """
    from pyg_nas.spaces.measurements import METRICS

    if default.run is None and (budget, run) != (None, None):
        raise SettingsError("--budget and --run: a table of networks has neither budgets nor runs")
    given: dict[str, Any] = {}
    if metric is not None and metric != default.metric:
        given |= {"metric": metric, "fallback": None}
    if budget is not None and budget != default.budget:
        given |= {"budget": budget, "fallback": None, "resample_below": None}
    if run is not None:
        given["run"] = int(run) if run.isdecimal() and len(run) <= MOST_DIGITS else run
    label = replace(default, **given)
    if label.metric not in METRICS and (budget, run) != (None, None):
        raise SettingsError(
            f"a budget and a run choose training runs, and {quoted(label.metric)} is no result of "
            f"one: give them with one of {listed(METRICS)}"
        )
    return label


def table_label(
    table: AnyTable,
    metric: str | None,
    budget: int | None,
    run: str | None,
    default: LabelPolicy | None = None,
) -> LabelPolicy:
    """Return the label of a table by :func:`chosen_label`, with :func:`note_direction`.

    Args:
        table: The table.
        metric: Option of the user, likewise ``budget`` and ``run``.
        default: The label that they change; None for the table's.

    Raises:
        SettingsError: As these functions.
    """
    label = chosen_label(default or table.default_label, metric, budget, run)
    note_direction(table, label)
    return label


def note_direction(table: AnyTable, label: LabelPolicy) -> None:
    """If the name of a label leaves open whether more or less is better, print what is assumed.

    Raises:
        SettingsError: If it does, and the table lacks the label.
    """
    from pyg_nas.data.protocols.direction import direction

    larger_is_better, is_certain = direction(label.metric)
    if is_certain:
        return
    table.label(label)
    taken, other, word = (
        ("larger", "smaller", "cost") if larger_is_better else ("smaller", "larger", "gain")
    )
    print_note(
        f"label {quoted(label.metric)}: {taken} is taken as better, which its name leaves "
        f"open; if {other} is better, rename it in the table, such as to "
        f"{word}_of_{label.metric}"
    )
