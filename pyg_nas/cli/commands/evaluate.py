"""``pyg-nas evaluate`` and ``plot``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from pyg_nas.cli.console import print_label, print_line, print_table
from pyg_nas.cli.options import (
    Device,
    GraphSpace,
    OwnRecipe,
    check_label,
    chosen_label,
    import_own,
    refuse,
    seed_option,
)
from pyg_nas.cli.progress import working
from pyg_nas.compute.device import check_device
from pyg_nas.errors import SettingsError
from pyg_nas.io.files import check_output, write_json
from pyg_nas.io.text import counted

if TYPE_CHECKING:
    from pyg_nas.data.tables.sources import AnyTable
    from pyg_nas.predictors.evaluation import Evaluation

ModelOrTable = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL", help="Folder that `pyg-nas train` wrote; with --scores the table instead."
    ),
]
EvaluatedTable = Annotated[
    Path | None,
    typer.Argument(metavar="TABLE", help="Table (.hdf5) or graph file (.jsonl)."),
]
Scores = Annotated[
    Path | None,
    typer.Option(
        help="CSV file of predictions made elsewhere, in place of MODEL: columns score, and hash "
        "or arch."
    ),
]
TrainedOn = Annotated[
    str | None,
    typer.Option(
        "--train",
        help="With --scores: training cells of the predictions, which are left out: 172, ..., a "
        "file of rows or hashes, or none.",
    ),
]
TrainedSeed = Annotated[
    int, seed_option("With --scores: random seed of the splits.", "--split-seed")
]
EvaluatedSplit = Annotated[str, typer.Option(help="Cells that are evaluated.")]
EvaluatedMetric = Annotated[
    str | None,
    typer.Option(help="Measured metric to compare with; by default the one that was learned."),
]
EvaluatedBudget = Annotated[
    int | None,
    typer.Option(help="Training budget in epochs; by default the one that was learned."),
]
EvaluatedRun = Annotated[
    str | None, typer.Option(help="Run: 0, 1, ... or mean; by default the one that was learned.")
]


def evaluate(
    model: ModelOrTable,
    table: EvaluatedTable = None,
    split: EvaluatedSplit = "all",
    metric: EvaluatedMetric = None,
    budget: EvaluatedBudget = None,
    run: EvaluatedRun = None,
    scores: Scores = None,
    train: TrainedOn = None,
    split_seed: TrainedSeed = 0,
    space: GraphSpace = None,
    json: Annotated[
        Path | None, typer.Option(help="Write the figures to this JSON file too.")
    ] = None,
    recipe: OwnRecipe = None,
    device: Device = "auto",
) -> None:
    """Compare predictions with a table, on cells that the model was not trained on.

    With --scores the predictions come from a file:
    pyg-nas evaluate nasbench101.hdf5 --scores mine.csv --train 172

    Example: pyg-nas evaluate model nasbench101.hdf5
    """
    from pyg_nas.metrics.regression import mse_unit
    from pyg_nas.visualization.prediction_charts import no_correlation

    if json is not None:
        check_output(json, table, model, scores)
    _check_source(scores, split_seed, recipe, device)
    chosen = metric, budget, run
    compared = _compared(model, table, scores, train, split, split_seed, chosen, space, device)
    result = compared.result
    figures = result.figures()
    print_table(
        f"{compared.name}: trained on {result.protocol.train}, evaluated on {split}",
        ("figure", "value"),
        [_shown(name, value, compared) for name, value in figures.items()],
        right=("value",),
    )
    label = result.protocol.evaluation_label or result.protocol.label
    print_label("label", label, compared.unit)
    left_out = counted(result.left_out, "architecture")
    print_line(f"left out: {left_out} of the split that trained the model")
    if result.without_score:
        print_line(f"left out: {counted(result.without_score, 'other')} without a score")
    undefined = [_NAMES[name] for name, value in figures.items() if value != value]
    if undefined:
        print_line(f"{', '.join(undefined)} not defined: {no_correlation(result.measured)}")
    if compared.note:
        print_line(compared.note)
    if json is not None:
        # JSON has no NaN; a figure that does not exist is null.
        plain = {k: None if v != v else v for k, v in figures.items()}
        report = {
            **plain,
            "mse_unit": mse_unit(result.fractions),
            "split": split,
            "left_out": result.left_out,
            **compared.origin,
            "protocol": result.protocol.to_dict(),
        }
        write_json(json, report)


_NAMES = {
    "mse": "MSE",
    "kendall_tau": "Kendall τ",
    "spearman": "Spearman ρ",  # noqa: RUF001
    "r2": "R²",
    "median_relative_error": "median relative error",
    "mean_relative_error": "mean relative error (MAPE)",
}
_FOUR_DECIMALS = 1e-3  # from here on they have two significant digits or more


def _shown(figure: str, value: float, compared: _Compared) -> tuple[str, str]:
    """Return the name of a figure with its unit, and its value, as users read them."""
    if figure == "n":
        return f"evaluated {compared.thing}s", f"{value:,}"
    if figure.endswith("_relative_error"):
        return f"{_NAMES[figure]}, %", f"{100 * value:.2f}"
    kind, of_top, number = figure.partition("_in_top_")
    if not of_top:
        unit = "points" if compared.result.fractions else compared.unit
        return _NAMES[figure] + (f", {unit}²" if figure == "mse" and unit else ""), _decimals(value)
    # Of the cells that are predicted to be best, the one that is measured best.
    name = f"{kind} of the top {number}"
    if compared.result.fractions:
        return f"{name}, {'%' if kind == 'best' else 'points'}", f"{100 * value:.2f}"
    return name + (f", {compared.unit}" if compared.unit else ""), _decimals(value)


def _decimals(value: float) -> str:
    if value != value:  # explained below the table
        return "not defined"
    return f"{value:.3g}" if 0 < abs(value) < _FOUR_DECIMALS else f"{value:,.4f}"


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
    from pyg_nas.visualization.files import check_format, save_figure
    from pyg_nas.visualization.plots import scatter

    check_output(out, table, model, scores)
    check_format(out)
    _check_source(scores, split_seed, recipe, device)
    chosen = metric, budget, run
    compared = _compared(model, table, scores, train, split, split_seed, chosen, space, device)
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


def _check_source(scores: Path | None, split_seed: int, recipe: str | None, device: str) -> None:
    """Refuse options of a model for a file of scores, and the other way round."""
    if scores is None:
        seed = {"--split-seed": split_seed or None}
        refuse(seed, "is used with --scores alone: a model names its cells")
    else:
        of_model = {"--recipe": recipe, "--device": None if device == "auto" else device}
        refuse(of_model, f"is for a model, the predictions are those of {scores}")
    import_own(recipe)


class _Compared(NamedTuple):
    """Predictions and measurements.

    Args:
        name: Name of the predictions.
        origin: Where they come from, for the JSON file.
        result: How they compare with the table.
        note: On labels that are substitutes.
        label: Name of the measurements, with their unit.
        unit: Their unit; empty if it is not known.
        thing: What was measured: cell or network.
    """

    name: str
    origin: dict[str, Any]
    result: Evaluation
    note: str
    label: str
    unit: str
    thing: str

    @classmethod
    def of(
        cls, name: str, origin: dict[str, Any], result: Evaluation, table: AnyTable
    ) -> _Compared:
        """Compare with the label of the result's protocol."""
        from pyg_nas.data.protocols.label_texts import fallback_note, label_name, label_unit

        label = result.protocol.compared_label(table)
        note = fallback_note(table, result.rows, label)
        shown, unit = label_name(table, label), label_unit(table, label)
        return cls(name, origin, result, note, shown, unit, table.thing)


Label = tuple[str | None, int | None, str | None]
"""Metric, budget and run of the measurements; None for the default."""


def _compared(
    first: Path,
    second: Path | None,
    scores: Path | None,
    train: str | None,
    split: str,
    split_seed: int,
    label: Label,
    space: str | None,
    device: str,
) -> _Compared:
    """Compare a model's predictions with a table, or the scores of a file in their place.

    Args:
        first: The first path: the model, or with ``scores`` the table.
        second: The second path: the table, or with ``scores`` None.
        train: With ``scores``, the training cells of the predictions.
    """
    if scores is None:
        if train is not None:
            raise SettingsError("--train is used with --scores alone: a model names its cells")
        if second is None:
            raise SettingsError("Missing argument 'TABLE': a model and a table are needed")
        return _model_compared(first, second, split, label, space, device)
    from pyg_nas.data.protocols.protocol import Protocol
    from pyg_nas.data.tables.scores_file import read_scores
    from pyg_nas.data.tables.sources import open_any_table
    from pyg_nas.predictors.evaluation import evaluate_scores

    if second is not None:
        raise SettingsError("with --scores there is no MODEL, give the table alone")
    if train is None:
        raise SettingsError(
            "--scores needs --train, the cells that trained the predictions: a split, a file "
            "of rows or hashes, or none"
        )
    protocol = Protocol(train, split, split_seed)
    check_label(*label)
    opened = open_any_table(first, space)
    protocol = replace(protocol, label=chosen_label(opened.default_label, *label))
    result = evaluate_scores(opened, read_scores(scores, opened), protocol)
    origin = {"scores": scores.name, "without_score": result.without_score}
    return _Compared.of(scores.name, origin, result, opened)


def _model_compared(
    model: Path, table: Path, split: str, label: Label, space: str | None, device: str
) -> _Compared:
    from pyg_nas.data.graph_files.jsonl import PLAIN
    from pyg_nas.data.protocols.splits import check_split
    from pyg_nas.data.tables.sources import check_table_file, open_any_table
    from pyg_nas.graphs.registry import open_space
    from pyg_nas.predictors.evaluation import compared_rows
    from pyg_nas.predictors.storage.header import ModelHeader
    from pyg_nas.predictors.trained import TrainedPredictor

    check_split(split)
    check_label(*label)
    check_device(device)
    check_table_file(table)
    if space is not None and space != PLAIN:
        open_space(space)
    header = ModelHeader.read(model)
    protocol = header.require_protocol()
    with working("predicting"):
        opened = open_any_table(table, space or header.graph_space)
        header.check_space(opened.space)
        compared = chosen_label(protocol.training_label(opened), *label)
        # What the table lacks is refused before torch is imported.
        rows = compared_rows(protocol, header.training_hashes, opened, split, compared)
        result = TrainedPredictor.from_header(header, device).compare(opened, rows)
    origin = {"recipe": header.recipe, "seed": header.seed}
    return _Compared.of(header.recipe, origin, result, opened)
