"""``pyg-nas tune``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def tune(
    table: Annotated[Path, typer.Argument(help="Table (.hdf5) or graph file (.jsonl).")],
    out: Annotated[Path, typer.Option(help="JSON file for the result.")],
    grid: Annotated[
        str,
        typer.Option(
            help="JSON file with the candidates, simplest first: a list of objects, or an object "
            "of lists; or default: the width of the recipe's networks."
        ),
    ] = "default",
    split: Annotated[
        str, typer.Option(help="Training cells: 172, ..., a number or a file.")
    ] = "172",
    split_seed: Annotated[int, typer.Option(min=0, help="Seed of the split's permutation.")] = 0,
    recipe: Annotated[str, typer.Option(help="Recipe whose settings are tuned.")] = "paper",
    metric: Annotated[str, typer.Option(help="mse or kendall_tau.")] = "mse",
    folds: Annotated[int, typer.Option(help="Folds of one repeat.")] = 5,
    repeats: Annotated[int, typer.Option(help="Repeats, each with an own shuffle and seed.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="Of shuffles and fits.")] = 0,
    jobs: Annotated[int, typer.Option(help="Fits at a time, not 0; -1 for all cores.")] = 1,
    device: Annotated[str, typer.Option(help="cpu, cuda, ... or auto.")] = "auto",
) -> None:
    """Choose hyper-parameters by cross validation on the training cells alone.

    Every fit's score is kept beside the result; stopped, the same command goes on.
    """
    from json import dumps

    from rich.console import Console
    from rich.progress import Progress
    from rich.table import Table as Grid

    from pyg_nas.data.sources import open_table
    from pyg_nas.data.splits import Protocol
    from pyg_nas.io.files import check_output, write_text
    from pyg_nas.predictors.recipes import make_estimator
    from pyg_nas.predictors.tuning import TuneSettings, width_candidates
    from pyg_nas.predictors.tuning import tune as run_tuning

    check_output(out, table, None if grid == "default" else grid)
    opened = open_table(table)
    protocol = Protocol(train=split, split_seed=split_seed, label=opened.default_label)
    rows = protocol.apply(opened)
    settings = TuneSettings(folds, repeats, seed, metric)
    estimator = make_estimator(recipe, protocol.label, seed, device, opened.about.get("task"))
    candidates = width_candidates(estimator) if grid == "default" else _candidates(Path(grid))
    fits_file = out.with_suffix(".fits.jsonl")
    console = Console(highlight=False)
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task("fits", total=None)
        try:
            result = run_tuning(
                estimator,
                candidates,
                opened.cells[rows.train],
                rows.train_labels,
                settings,
                fits_file=fits_file,
                n_jobs=jobs,
                on_fit=lambda done, total: bar.update(task, completed=done, total=total),
            )
        except KeyboardInterrupt:
            console.print(f"stopped; the same command goes on from {fits_file}")
            raise typer.Exit(130) from None
    report: dict[str, Any] = {
        "recipe": recipe,
        "table": table.name,
        "protocol": protocol.to_dict(),
        **result.to_dict(),
    }
    write_text(out, dumps(report, indent=1) + "\n")
    unit = ", points²" if metric == "mse" and result.fractions else ""
    shown = Grid(title=f"{recipe}: {metric} on held-out folds of {result.n} cells")
    for column in ("settings", f"{metric}{unit}", "standard error", ""):
        shown.add_column(column)
    for candidate in report["candidates"]:
        marks = [word for word in ("best", "chosen") if candidate["params"] == report[word]]
        shown.add_row(
            ", ".join(f"{key} {value}" for key, value in candidate["params"].items()),
            *(_figure(candidate[name]) for name in ("mean", "standard_error")),
            ", ".join(marks),
        )
    console.print(shown)
    console.print(f"result: {out}")


def _figure(value: float | None) -> str:
    return "diverged" if value is None else f"{value:.4f}"


def _candidates(path: Path) -> list[dict[str, Any]]:
    from pyg_nas.errors import SettingsError
    from pyg_nas.io.json_reader import read_json
    from pyg_nas.predictors.tuning import read_grid

    description = read_json(path)
    try:
        return read_grid(description)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from None
