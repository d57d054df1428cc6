"""``pyg-nas demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the model, drawings and plot.")] = Path(
        "demo"
    ),
    recipe: Annotated[str | None, typer.Option(help="Recipe; the default one if left out.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the training cells and the fit.")] = 0,
) -> None:
    """Show the whole loop on the shipped table of cells measured on handwritten digits."""
    from rich.console import Console
    from rich.table import Table as Grid

    from pyg_nas.cli.demo_job import (
        TRAINING_CELLS,
        best_unseen_cells,
        evaluation_and_live,
        train_live,
    )
    from pyg_nas.data.shipped import shipped_table, shipped_table_path
    from pyg_nas.data.splits import Protocol
    from pyg_nas.predictors.recipes import DEFAULT_RECIPE
    from pyg_nas.predictors.trained import Model
    from pyg_nas.visualization.cells import draw_cell
    from pyg_nas.visualization.files import save_figure
    from pyg_nas.visualization.plots import scatter

    console = Console(highlight=False)
    table = shipped_table()
    label = table.default_label
    console.rule("[bold]1. A table of measured cells")
    console.print(f"{shipped_table_path().name}: {len(table):,} cells trained on digits images")
    console.print(f"label: {label}")

    console.rule(f"[bold]2. Train a predictor on {TRAINING_CELLS} of them")
    protocol = Protocol(train=str(TRAINING_CELLS), split_seed=seed, label=label)
    with console.status("training"):
        model = Model.train(table, protocol, recipe or DEFAULT_RECIPE, seed)
    model.save(out / "model")
    evaluation = model.evaluate(table)
    figures = evaluation.figures()
    console.print(
        f"on the {figures['n']:,} cells that it has not seen: Kendall's tau "
        f"[bold]{figures['kendall_tau']:.3f}[/bold], mean squared error "
        f"{figures['mse']:.1f} squared points"
    )

    console.rule("[bold]3. Score the whole search space")
    with console.status("scoring (the first time, the space is enumerated too)"):
        best = best_unseen_cells(model, table, count=10)
    grid = Grid(title=f"The ten best of {best.scored:,} cells, none of them measured before")
    for column in ("", "cell", "predicted", "parameters"):
        grid.add_column(column, justify="left" if column == "cell" else "right")
    parameters = best.cells.trainable_parameters().tolist()
    digests = [digest.decode() for digest in best.hashes.tolist()]
    for rank, (digest, score, size) in enumerate(
        zip(digests, best.scores.tolist(), parameters, strict=True), start=1
    ):
        grid.add_row(str(rank), digest, f"{100 * score:.2f} %", f"{size:,}")
    console.print(grid)

    console.rule("[bold]4. Train the best three for real")
    with console.status("training three cells, every run of the table's largest budget"):
        measured = train_live(best, 3, table)
    live = measured.label(label)
    for i, value in enumerate(live.tolist()):
        draw_cell(best.cells[i], out / f"cell-{i + 1}.png")
        rank = 1 + int((evaluation.measured > value).sum())
        console.print(
            f"{digests[i]}: predicted {100 * best.scores[i]:.2f} %, measured "
            f"[bold]{100 * value:.2f} %[/bold] (would be number {rank:,} of the "
            f"{len(evaluation.rows):,} unseen cells of the table)"
        )
    truth, guess = evaluation_and_live(evaluation, best, live)
    figure = scatter(truth, guess, title="Unseen digits cells")
    save_figure(figure, out / "predicted-against-measured.png")
    console.print(f"\nmodel, drawings and plot: [bold]{out}[/bold]")
