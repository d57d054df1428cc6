"""``pyg-nas demo``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pyg_nas.cli.console import bold, print_heading, print_line, print_table
from pyg_nas.cli.options import seed_option
from pyg_nas.cli.progress import working
from pyg_nas.io.text import counted, percent

if TYPE_CHECKING:
    from pyg_nas.cli.demo_job import BestCells
    from pyg_nas.data.tables.table import Table
    from pyg_nas.predictors.evaluation import Evaluation


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the model, drawings and plot.")] = Path(
        "demo"
    ),
    recipe: Annotated[
        str | None, typer.Option(help="best (the default), fast, paper or two-stage.")
    ] = None,
    seed: Annotated[int, seed_option("Random seed of the training cells and the fit.")] = 0,
) -> None:
    """Show all steps on the shipped table of cells that were trained on handwritten digits.

    Example: pyg-nas demo
    """
    from pyg_nas.cli.demo_job import TRAINING_CELLS, best_unseen_cells
    from pyg_nas.data.protocols.protocol import Protocol
    from pyg_nas.data.tables.shipped import shipped_table, shipped_table_path
    from pyg_nas.predictors.recipes import DEFAULT_RECIPE, make_estimator
    from pyg_nas.predictors.storage.folder import check_model_folder, check_storable
    from pyg_nas.predictors.trained import TrainedPredictor

    check_model_folder(out / "model")
    table = shipped_table()
    label = table.default_label
    check_storable(make_estimator(recipe or DEFAULT_RECIPE, label, seed))
    print_heading("1. A table of measured cells")
    print_line(f"{shipped_table_path().name}: {len(table):,} cells trained on digits images")
    print_line(f"label: {label}")

    print_heading(f"2. Train a predictor on {TRAINING_CELLS} of them")
    protocol = Protocol(train=str(TRAINING_CELLS), split_seed=seed, label=label)
    with working("training"):
        model = TrainedPredictor.train(table, protocol, recipe or DEFAULT_RECIPE, seed)
    model.save(out / "model")
    evaluation = model.evaluate(table)
    figures = evaluation.figures()
    print_line(
        f"on the {figures['n']:,} cells that it has not seen: Kendall's tau ",
        bold(f"{figures['kendall_tau']:.3f}"),
        f", mean squared error {figures['mse']:.1f} squared points",
    )

    print_heading("3. Score the whole search space")
    with working("scoring (the first time, the space is enumerated too)"):
        best = best_unseen_cells(model, table, count=10)
    sizes = best.cells.trainable_parameters(table.network_size).tolist()
    print_table(
        f"The ten best of {counted(best.scored, 'cell')}, none of them measured before",
        ("", "hash", "predicted", "parameters"),
        [
            (rank, digest, percent(score, 2), f"{size:,}")
            for rank, (digest, score, size) in enumerate(
                zip(best.digests, best.scores.tolist(), sizes, strict=True), start=1
            )
        ],
        right=("", "predicted", "parameters"),
    )

    print_heading("4. Train the best three for real")
    _train_best(table, evaluation, best, out)
    print_line()
    print_line("model, drawings and plot: ", bold(out))


def _train_best(table: Table, evaluation: Evaluation, best: BestCells, out: Path) -> None:
    """Train the three best cells, draw them, and plot them with the cells of the evaluation."""
    import numpy as np

    from pyg_nas.cli.demo_job import train_live
    from pyg_nas.visualization.cells import draw_cell
    from pyg_nas.visualization.files import save_figure
    from pyg_nas.visualization.plots import scatter

    with working("training three cells, every run of the table's largest budget"):
        measured = train_live(best, 3, table)
    live = measured.label(table.default_label)
    for i, value in enumerate(live.tolist()):
        draw_cell(best.cells[i], out / f"cell-{i + 1}.png")
        rank = 1 + int((evaluation.measured > value).sum())
        print_line(
            f"{best.digests[i]}: predicted {percent(best.scores[i], 2)}, measured ",
            bold(percent(value, 2)),
            f" (rank {rank:,} among the {len(evaluation.rows):,} unseen cells of the table)",
        )
    figure = scatter(
        np.concatenate([evaluation.measured, live]),
        np.concatenate([evaluation.predicted, best.scores[: len(live)]]),
        title="Unseen digits cells",
    )
    save_figure(figure, out / "predicted-against-measured.png")
