"""``pyg-nas plot``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pyg_nas.cli.compared import (
    EvaluatedBudget,
    EvaluatedMetric,
    EvaluatedRun,
    EvaluatedSplit,
    EvaluatedTable,
    ModelOrTable,
    Scores,
    TrainedOn,
    TrainedSeed,
    compare_with_table,
)
from pyg_nas.cli.console import print_line
from pyg_nas.cli.options import Device, GraphSpace, OwnRecipe, named_files
from pyg_nas.io.files import check_output
from pyg_nas.io.text import counted


def plot(
    model: ModelOrTable,
    out: Annotated[Path, typer.Option(help="Picture to write: .png, .svg or .pdf.")],
    table: EvaluatedTable = None,
    split: EvaluatedSplit = "all",
    metric: EvaluatedMetric = None,
    budget: EvaluatedBudget = None,
    run: EvaluatedRun = None,
    scores: Scores = None,
    train: TrainedOn = None,
    split_seed: TrainedSeed = 0,
    space: GraphSpace = None,
    recipe: OwnRecipe = None,
    device: Device = "auto",
) -> None:
    """Plot predictions against measurements, of all cells and of the best ones.

    Example: pyg-nas plot model nasbench101.hdf5 --out scatter.png
    """
    from pyg_nas.visualization.files import check_picture_format, save_figure
    from pyg_nas.visualization.plots import scatter

    check_output(out, table, model, scores, *named_files(split, train, recipe))
    check_picture_format(out)
    label = metric, budget, run
    compared = compare_with_table(
        model, table, split, label, scores, train, split_seed, space, recipe, device
    )
    result, thing = compared.result, compared.thing
    figure = scatter(
        result.measured,
        result.predicted,
        title=f"{compared.name}: trained on {result.protocol.train} {thing}s, evaluated on {split}",
        larger_is_better=result.larger_is_better,
        fractions=result.fractions,
        note=compared.note,
        name=compared.label,
        thing=thing,
    )
    save_figure(figure, out)
    print_line(f"{counted(len(result.rows), 'architecture')} plotted in {out}")
