"""``pyg-nas train``, ``evaluate``, ``predict`` and ``plot``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pyg_nas.cli.labels import chosen_label

if TYPE_CHECKING:
    from pyg_nas.data.labels import LabelPolicy
    from pyg_nas.predictors.trained import Evaluation, Model

TablePath = Annotated[Path, typer.Argument(help="Table (.hdf5) or graph file (.jsonl).")]
ModelPath = Annotated[Path, typer.Argument(help="Folder that `pyg-nas train` wrote.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, ... or auto.")]
EvaluatedSplit = Annotated[str, typer.Option(help="Cells to evaluate on.")]
EvaluatedMetric = Annotated[
    str | None, typer.Option(help="Column compared with; default what the model was trained on.")
]
EvaluatedBudget = Annotated[int | None, typer.Option(help="The same: epochs of the trainings.")]
EvaluatedRun = Annotated[str | None, typer.Option(help="The same: run, 0, 1, ... or mean.")]
SPACES = ("nasbench101",)


def train(
    table: TablePath,
    out: Annotated[Path, typer.Option(help="Folder for the trained model.")],
    split: Annotated[
        str,
        typer.Option(
            help="172, 334, 860, 91-172, all, ..., a number, or a file of rows or hashes."
        ),
    ] = "172",
    split_seed: Annotated[int, typer.Option(min=0, help="Seed of the split's permutation.")] = 0,
    recipe: Annotated[str | None, typer.Option(help="Recipe; see the documentation.")] = None,
    settings: Annotated[
        Path | None,
        typer.Option(help="JSON file of the recipe's settings, or a result of `pyg-nas tune`."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of weights, batches and dropout.")] = 0,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training cells.")] = None,
    lr: Annotated[float | None, typer.Option(help="Highest learning rate.")] = None,
    metric: Annotated[
        str | None, typer.Option(help="Target column; default validation_accuracy.")
    ] = None,
    budget: Annotated[
        int | None, typer.Option(help="Epochs at which the target was measured; default the most.")
    ] = None,
    run: Annotated[str | None, typer.Option(help="Run of the target: 0, 1, ... or mean.")] = None,
    device: Device = "auto",
) -> None:
    """Train a predictor on a split of a table."""
    from rich.console import Console

    from pyg_nas.data.sources import open_table
    from pyg_nas.data.splits import Protocol
    from pyg_nas.predictors.recipes import DEFAULT_RECIPE, read_recipe
    from pyg_nas.predictors.storage import check_model_folder
    from pyg_nas.predictors.trained import Model

    check_model_folder(out)
    chosen, given = recipe or DEFAULT_RECIPE, dict[str, Any]()
    if settings is not None:
        chosen, given = read_recipe(settings, recipe)
    options = {"epochs": epochs, "learning_rate": lr}
    given |= {name: value for name, value in options.items() if value is not None}
    opened = open_table(table)
    label = chosen_label(opened.default_label, metric, budget, run)
    protocol = Protocol(train=split, split_seed=split_seed, label=label)
    with _epochs_bar() as progress:
        model = Model.train(opened, protocol, chosen, seed, device, progress, **given)
    model.save(out)
    console = Console(highlight=False)
    console.print(
        f"[bold]{model.recipe}[/bold] trained on {len(model.training_hashes)} cells of {table.name}"
    )
    console.print(f"label: {label}")
    console.print(f"model: {out}")


def evaluate(
    model: ModelPath,
    table: TablePath,
    split: EvaluatedSplit = "all",
    metric: EvaluatedMetric = None,
    budget: EvaluatedBudget = None,
    run: EvaluatedRun = None,
    json: Annotated[Path | None, typer.Option(help="Also write the figures here.")] = None,
    device: Device = "auto",
) -> None:
    """Compare predictions with a table, on cells that did not train the model."""
    from json import dumps

    from rich.console import Console
    from rich.table import Table as Grid

    from pyg_nas.io.files import check_output, write_text
    from pyg_nas.metrics.regression import mse_unit

    if json is not None:
        check_output(json, table, model)
    loaded, label, result = _evaluated(model, table, split, metric, budget, run, device)
    figures = result.figures()
    grid = Grid(title=f"{loaded.recipe}: {loaded.protocol.train} -> {split}")
    grid.add_column("figure")
    grid.add_column("value", justify="right")
    for name, value in figures.items():
        unit = ", points²" if name == "mse" and result.fractions else ""
        grid.add_row(f"{name}{unit}", f"{value:,}" if name == "n" else f"{value:,.4f}")
    console = Console(highlight=False)
    console.print(grid)
    console.print(f"label: {label}")
    console.print(f"{result.left_out} cells of the split trained the model and are left out")
    if json is not None:
        # JSON knows no NaN; a figure that does not exist is null.
        plain = {k: None if v != v else v for k, v in figures.items()}
        report = {
            **plain,
            "mse_unit": mse_unit(result.fractions),
            "split": split,
            "left_out": result.left_out,
            "recipe": loaded.recipe,
            "seed": loaded.seed,
            "protocol": result.protocol.to_dict(),
        }
        write_text(json, dumps(report, indent=1, allow_nan=False) + "\n")


def predict(
    model: ModelPath,
    out: Annotated[Path, typer.Option(help="CSV file with the columns hash,score,row.")],
    table: Annotated[
        Path | None, typer.Argument(help="Table or graph file whose cells are scored.")
    ] = None,
    space: Annotated[
        str | None, typer.Option(help="Score a whole space instead: nasbench101.")
    ] = None,
    device: Device = "auto",
) -> None:
    """Score the cells of a table, or a whole search space."""
    from rich.console import Console

    from pyg_nas.data.scores_file import write_scores
    from pyg_nas.data.sources import open_table
    from pyg_nas.errors import SettingsError
    from pyg_nas.io.files import check_output
    from pyg_nas.predictors.storage import load_model, read_settings
    from pyg_nas.predictors.trained import Model

    if (table is None) == (space is None):
        raise SettingsError("give either a table or --space, one of them")
    if space is not None and space not in SPACES:
        raise SettingsError(f"--space {space!r} must be one of {', '.join(SPACES)}")
    check_output(out, table, model)
    larger_is_better = True
    if "protocol" in read_settings(model)["about"]:
        loaded = Model.load(model, device)
        estimator, label = loaded.estimator, loaded.protocol.label
        larger_is_better = label is None or label.larger_is_better
    else:
        estimator = load_model(model, device)  # of `save_model`: enough to score with
    if table is not None:
        opened = open_table(table, estimator.space_)
        cells, hashes = opened.cells, opened.hashes
    else:
        from pyg_nas.graphs.enumeration import nasbench101_cells, nasbench101_hashes

        cells, hashes = nasbench101_cells(), nasbench101_hashes()
    write_scores(out, hashes, estimator.predict(cells), larger_is_better)
    Console(highlight=False).print(f"{len(cells):,} scores in {out}, the best first")


def plot(
    model: ModelPath,
    table: TablePath,
    out: Annotated[Path, typer.Option(help="Picture: a PDF, SVG or PNG file, by its ending.")],
    split: EvaluatedSplit = "all",
    metric: EvaluatedMetric = None,
    budget: EvaluatedBudget = None,
    run: EvaluatedRun = None,
    device: Device = "auto",
) -> None:
    """Plot predicted against measured, whole range and the best cells."""
    from rich.console import Console

    from pyg_nas.io.files import check_output
    from pyg_nas.visualization.files import check_format, save_figure
    from pyg_nas.visualization.plots import scatter

    check_output(out, table, model)
    check_format(out)
    loaded, _, result = _evaluated(model, table, split, metric, budget, run, device)
    figure = scatter(
        result.measured,
        result.predicted,
        title=f"{loaded.recipe}: trained on {loaded.protocol.train} cells, evaluated on {split}",
        larger_is_better=result.larger_is_better,
        fractions=result.fractions,
    )
    save_figure(figure, out)
    Console(highlight=False).print(f"{len(result.rows):,} cells plotted in {out}")


def _evaluated(
    model: Path,
    table: Path,
    split: str,
    metric: str | None,
    budget: int | None,
    run: str | None,
    device: str,
) -> tuple[Model, LabelPolicy, Evaluation]:
    """The model, the label that it is compared with, and its predictions beside that."""
    from pyg_nas.data.sources import open_table
    from pyg_nas.predictors.trained import Model

    loaded = Model.load(model, device)
    opened = open_table(table, loaded.estimator.space_)
    label = chosen_label(loaded.protocol.label or opened.default_label, metric, budget, run)
    return loaded, label, loaded.evaluate(opened, split, label)


@contextmanager
def _epochs_bar() -> Iterator[Callable[[int, float], None]]:
    """Show epochs done and the loss while a model trains."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("training, epoch {task.completed:.0f}"),
        BarColumn(),
        TextColumn("loss {task.fields[loss]:.4f}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, transient=True) as bar:
        task = bar.add_task("training", total=None, loss=float("nan"))

        def on_epoch(epoch: int, loss: float) -> None:
            bar.update(task, completed=epoch, loss=loss)

        yield on_epoch
