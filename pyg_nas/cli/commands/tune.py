"""``pyg-nas tune``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pyg_nas.cli.console import print_line, print_table, resumable
from pyg_nas.cli.options import (
    Device,
    GraphSpace,
    Jobs,
    SplitSeed,
    TablePath,
    check_drawn,
    check_label,
    named_files,
    seed_option,
    table_label,
)
from pyg_nas.cli.progress import progress_bar
from pyg_nas.compute.device import check_device
from pyg_nas.errors import SettingsError
from pyg_nas.io.files import check_output, write_json
from pyg_nas.io.text import counted, decimals_format, printable


def tune(
    table: TablePath,
    out: Annotated[Path, typer.Option(help="JSON file for the result.")],
    grid: Annotated[
        str,
        typer.Option(
            help="JSON file with the candidates, simplest first: a list of objects, or an object "
            "of lists. The word default compares widths of the recipe's networks."
        ),
    ] = "default",
    split: Annotated[
        str, typer.Option(help="Training cells: a number, a named split or a file.")
    ] = "172",
    split_seed: SplitSeed = 0,
    recipe: Annotated[
        str, typer.Option(help="Recipe, or your own class as file.py:Class.")
    ] = "paper",
    label: Annotated[
        str | None,
        typer.Option(
            help="Metric to learn: validation_accuracy (the default), another one of the training "
            "runs, or a target of the table's own, such as latency_raspi4."
        ),
    ] = None,
    metric: Annotated[str, typer.Option(help="Score of a fit: mse or kendall_tau.")] = "mse",
    folds: Annotated[int, typer.Option(help="Folds of one repeat.")] = 5,
    repeats: Annotated[
        int, typer.Option(help="Repeats, each with its own shuffle and random seed.")
    ] = 3,
    seed: Annotated[int, seed_option("Random seed of shuffles and fits.")] = 0,
    jobs: Jobs = 1,
    space: GraphSpace = None,
    device: Device = "auto",
) -> None:
    """Choose hyper-parameters by cross validation on the training cells alone.

    The score of every fit is stored beside the result; the same command resumes a stopped one.

    Example: pyg-nas tune nasbench101.hdf5 --split 172 --out tuned.json
    """
    from pyg_nas.data.protocols.protocol import Protocol
    from pyg_nas.data.tables.sources import open_table
    from pyg_nas.predictors.model_selection.candidates import width_candidates
    from pyg_nas.predictors.recipes import check_recipe, check_subject, make_estimator

    Protocol(train=split, split_seed=split_seed)
    check_drawn(split_seed, split)
    check_label(label, None, None)
    check_recipe(recipe)
    check_subject(recipe, of_networks=False)  # open_table refuses tables of networks
    check_device(device)
    chosen = None if grid == "default" else grid
    check_output(out, table, chosen, *named_files(split, recipe))
    if grid == "default":
        try:
            candidates = width_candidates(recipe)
        except SettingsError as error:
            raise SettingsError(f"{error} with --grid") from None
    else:
        candidates = _candidates(Path(grid), recipe)
    from pyg_nas.predictors.evaluation import has_fractions
    from pyg_nas.predictors.model_selection.tuning import TuneSettings
    from pyg_nas.predictors.model_selection.tuning import tune as run_tuning

    settings = TuneSettings(folds, repeats, seed, metric)
    opened = open_table(table, space)
    policy = table_label(opened, label, None, None)
    protocol = Protocol(train=split, split_seed=split_seed, label=policy)
    rows = protocol.apply(opened)
    settings.check_cells(opened.hashes[rows.train])  # before torch is imported
    estimator = make_estimator(recipe, protocol.label, seed, device)
    fits_file = out.with_suffix(".fits.jsonl")
    with resumable(fits_file), progress_bar("fits") as advance:
        result = run_tuning(
            estimator,
            candidates,
            opened.cells[rows.train],
            rows.train_labels,
            settings,
            fits_file=fits_file,
            n_jobs=jobs,
            on_fit=advance,
            fractions=has_fractions(opened, protocol),
        )
    report: dict[str, Any] = {
        "recipe": recipe,
        "table": printable(table.name),
        "protocol": protocol.to_dict(),
        **result.to_dict(),
    }
    write_json(out, report)
    unit = ", points²" if metric == "mse" and result.fractions else ""
    print_table(
        f"{recipe}: {metric} on held-out folds of {counted(result.n, 'cell')}",
        ("settings", f"{metric}{unit}", "standard error", ""),
        [_row(candidate, report) for candidate in report["candidates"]],
    )
    print_line(f"label: {protocol.label}")
    if metric == "kendall_tau" and (result.scores == 0).any():
        print_line(
            "Kendall τ is not defined where all predictions of a fold are equal: it counts as 0"
        )
    print_line(f"result: {out}")


def _row(candidate: dict[str, Any], report: dict[str, Any]) -> tuple[str, ...]:
    settings = candidate["params"]
    return (
        ", ".join(f"{key} {value}" for key, value in settings.items()),
        *(_figure(candidate[name]) for name in ("mean", "standard_error")),
        ", ".join(name for name in ("best", "chosen") if settings == report[name]),
    )


def _figure(value: float | None) -> str:
    return "diverged" if value is None else f"{value:{decimals_format(value)}}"


def _candidates(path: Path, recipe: str) -> list[dict[str, Any]]:
    from pyg_nas.io.formats.json_reader import read_json
    from pyg_nas.predictors.model_selection.candidates import read_grid
    from pyg_nas.predictors.recipes import SET_BY_CALLERS, check_settings

    description = read_json(path)
    try:
        candidates = read_grid(description)
        check_settings(
            recipe,
            (
                {n: v for n, v in c.items() if n.rpartition("__")[2] not in SET_BY_CALLERS}
                for c in candidates
            ),
        )
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from None
    return candidates
