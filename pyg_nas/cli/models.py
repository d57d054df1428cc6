"""``pyg-nas train``, ``evaluate``, ``predict`` and ``plot``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from pyg_nas.cli.console import bold, print_line, print_table
from pyg_nas.cli.options import (
    Configurations,
    Device,
    GraphSpace,
    LearnedBudget,
    LearnedRun,
    Log,
    SplitSeed,
    TablePath,
    check_label,
    chosen_label,
    seed_option,
)
from pyg_nas.cli.progress import progress_bar, working
from pyg_nas.cli.spaces import scored_source
from pyg_nas.compute.device import check_device
from pyg_nas.errors import SettingsError, quoted
from pyg_nas.io.callbacks import check_logger, open_logger
from pyg_nas.io.files import check_output, write_text
from pyg_nas.io.limits import MOST_EPOCHS
from pyg_nas.io.text import counted

if TYPE_CHECKING:
    from pyg_nas.compute.workers import Workers
    from pyg_nas.data.network_table import NetworkTable
    from pyg_nas.graphs.search_space import SearchSpace
    from pyg_nas.predictors.model_header import ModelHeader
    from pyg_nas.predictors.trained import Evaluation, Model
    from pyg_nas.scoring import Architectures

ModelOrTable = Annotated[
    Path,
    typer.Argument(metavar="[MODEL]", help="Folder that `pyg-nas train` wrote; not with --scores."),
]
EvaluatedTable = Annotated[
    Path | None, typer.Argument(metavar="TABLE", help="Table (.hdf5) or graph file (.jsonl).")
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


# Metric, budget and run of a label; None for the default.
_LabelChoice = tuple[str | None, int | None, str | None]


def train(
    table: TablePath,
    out: Annotated[Path, typer.Option(help="Folder for the trained model.")],
    split: Annotated[
        str,
        typer.Option(
            help="Training cells: a number of random cells, such as 172; 91-172 for those of the "
            "172 above 91 %; all; or a file of rows or hashes."
        ),
    ] = "172",
    split_seed: SplitSeed = 0,
    recipe: Annotated[
        str | None,
        typer.Option(help="best (the default), fast, transfer, paper or two-stage."),
    ] = None,
    settings: Annotated[
        Path | None,
        typer.Option(help="JSON file of the recipe's settings, or a result of `pyg-nas tune`."),
    ] = None,
    seed: Annotated[int, seed_option("Random seed of weights, batches and dropout.")] = 0,
    epochs: Annotated[
        int | None, typer.Option(min=1, max=MOST_EPOCHS, help="Passes over the training cells.")
    ] = None,
    lr: Annotated[float | None, typer.Option(help="Highest learning rate.")] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            help="Metric to learn: validation_accuracy (the default), test_accuracy, "
            "train_accuracy or training_time."
        ),
    ] = None,
    budget: LearnedBudget = None,
    run: LearnedRun = None,
    space: GraphSpace = None,
    log: Log = None,
    device: Device = "auto",
) -> None:
    """Train a predictor on a split of a table.

    Example: pyg-nas train nasbench101.hdf5 --split 172 --out model
    """
    from pyg_nas.data.network_table import NetworkTable
    from pyg_nas.data.sources import open_any_table
    from pyg_nas.data.splits import Protocol
    from pyg_nas.predictors.parameter_rules import check_learning_rate
    from pyg_nas.predictors.recipes import (
        DEFAULT_RECIPE,
        LATENCY_RECIPE,
        NETWORK_RECIPE,
        check_epochs,
        check_recipe,
        check_subject,
        make_estimator,
        read_recipe,
        recipe_needs,
    )
    from pyg_nas.predictors.storage import check_model_folder, check_storable
    from pyg_nas.predictors.trained import Model

    Protocol(train=split, split_seed=split_seed)
    check_label(metric, budget, run)
    check_recipe(recipe or DEFAULT_RECIPE)
    check_learning_rate(lr)
    changed = settings is None and (epochs, lr) != (None, None)
    if changed and recipe is not None:
        check_epochs(recipe)
    check_device(device)
    check_model_folder(out)
    if log is not None:
        check_logger(log)
    chosen, given = recipe, dict[str, Any]()
    if settings is not None:
        chosen, given = read_recipe(settings, recipe)
    options = {"epochs": epochs, "learning_rate": lr}
    given |= {name: value for name, value in options.items() if value is not None}
    opened = open_any_table(table, space)
    is_of_networks = isinstance(opened, NetworkTable)
    label = chosen_label(opened.default_label, metric, budget, run)
    if chosen is None:
        chosen = DEFAULT_RECIPE
        if is_of_networks:
            chosen = LATENCY_RECIPE if "latency" in label.metric else NETWORK_RECIPE
        if changed:
            check_epochs(chosen)
    check_subject(chosen, is_of_networks)
    protocol = Protocol(train=split, split_seed=split_seed, label=label)
    # What the table lacks is refused before torch is imported.
    recipe_needs(chosen).check_cells(chosen, len(protocol.apply(opened).train))
    check_storable(make_estimator(chosen, label, seed, device, **given))
    logger = open_logger(log)
    with progress_bar("training, epochs") as advance:

        def on_epoch(epoch: int, loss: float) -> None:
            advance(epoch, text=f"loss {loss:.4f}")
            logger.on_epoch(epoch, {"loss": loss})

        model = Model.train(opened, protocol, chosen, seed, device, on_epoch, **given)
    model.save(out)
    logger.on_end({"training_cells": len(model.training_hashes)})
    trained = f"{len(model.training_hashes)} {'networks' if is_of_networks else 'cells'}"
    print_line(bold(model.recipe), f" trained on {trained} of {table.name}")
    print_line(f"label: {label}")
    print_line(f"model: {out}")


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
    device: Device = "auto",
) -> None:
    """Compare predictions with a table, on cells that the model was not trained on.

    With --scores the predictions come from a file:
    pyg-nas evaluate nasbench101.hdf5 --scores mine.csv --train 172

    Example: pyg-nas evaluate model nasbench101.hdf5
    """
    from json import dumps

    from pyg_nas.metrics.regression import mse_unit
    from pyg_nas.visualization.figures import no_correlation

    if json is not None:
        check_output(json, table, model, scores)
    choice = metric, budget, run
    if scores is None:
        compared = _evaluated(model, table, split, choice, space, device)
    else:
        compared = _judged(scores, model, table, train, split, split_seed, choice, space)
    result = compared.result
    figures = result.figures()
    units = {"mse": ", points²" if result.fractions else ""}
    print_table(
        f"{compared.name}: {result.protocol.train} -> {split}",
        ("figure", "value"),
        [
            (name + units.get(name, ""), _shown_figure(name, value))
            for name, value in figures.items()
        ],
        right=("value",),
    )
    print_line(f"label: {result.protocol.evaluation_label or result.protocol.label}")
    left_out = counted(result.left_out, "cell")
    print_line(f"left out: {left_out} of the split that trained the model")
    if result.without_score:
        print_line(f"left out: {counted(result.without_score, 'other')} without a score")
    undefined = [name for name, value in figures.items() if value != value]
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
        write_text(json, dumps(report, indent=1, allow_nan=False) + "\n")


def _shown_figure(name: str, value: float) -> str:
    if value != value:  # explained below the table
        return "not defined"
    return f"{value:,}" if name == "n" else f"{value:,.4f}"


def predict(
    out: Annotated[
        Path,
        typer.Option(
            help="File to write, as CSV, or as Arrow if its name ends with .arrow. Columns: hash, "
            "score, row and, where known, text form (arch), number of operations, parameters of "
            "the trained network, mean and std of the prediction."
        ),
    ],
    model: Annotated[
        Path | None,
        typer.Argument(
            metavar="MODEL", help="Folder that `pyg-nas train` wrote; none with --recipe."
        ),
    ] = None,
    table: Annotated[
        str | None,
        typer.Argument(
            metavar="[TABLE]",
            help="Table or graph file whose cells are scored; for whole networks also a folder of "
            "ONNX files, or file.py:function that builds them.",
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(help="transfer: score by the shipped tables, without a model."),
    ] = None,
    configurations: Configurations = None,
    space: Annotated[
        str | None,
        typer.Option(
            help="Score this source in place of TABLE: a search space, such as nasbench101, "
            "or your own space as file.py:NAME; a graph file (.jsonl, or .arrow, which is "
            "read faster); or file.py:function, a function that yields cells or arrays of cells. "
            "Scores of a space are written best first. Scores of a file or function are written "
            "in its order, as are all scores with --backend or in an Arrow file."
        ),
    ] = None,
    top: Annotated[
        int | None, typer.Option(min=1, help="Write only this number of best architectures.")
    ] = None,
    backend: Annotated[
        str, typer.Option(help="Where blocks are scored: sequential, threading, loky, ray or dask.")
    ] = "sequential",
    workers: Annotated[
        int, typer.Option(help="Number of blocks at the same time; -1 for one on each core.")
    ] = 1,
    device: Device = "auto",
) -> None:
    """Score the architectures of a table, of a whole search space or of a file of any length.

    With `--recipe transfer` no model is needed: cells are scored without a label of their task,
    from the measurements of other tasks.

    If scoring of a file or a function, or with --top, was stopped, the same command resumes it.

    Example: pyg-nas predict model --space nasbench101 --top 100 --out best.csv
    """
    from pyg_nas.compute.workers import Workers
    from pyg_nas.data.sources import check_table_file
    from pyg_nas.graphs.registry import find_space, space_names
    from pyg_nas.predictors.model_header import ModelHeader
    from pyg_nas.predictors.storage import settings_checksum
    from pyg_nas.predictors.trained import Model
    from pyg_nas.scoring.output import ARROW, check_format
    from pyg_nas.scoring.source import check_source

    if recipe is not None:
        if recipe != "transfer":
            raise SettingsError(
                f"only the recipe transfer predicts without training, got {quoted(recipe)}"
            )
        if table is not None:
            raise SettingsError(f"with --recipe there is no model: got both {model} and {table}")
        model, table = None, None if model is None else str(model)
    elif model is None:
        raise SettingsError("give a model folder, or --recipe transfer")
    if (table is None) == (space is None):
        raise SettingsError("give either a table or --space, one of them")
    pool = Workers(backend, workers)
    check_device(device)
    check_output(out, table, model)
    check_format(out)
    if space is not None:
        space = scored_source(space)
        check_source(space)
    elif table is not None and not (configurations or ":" in table or Path(table).is_dir()):
        check_table_file(table)  # and no folder of ONNX files
    whole_space = find_space(space) if space in space_names() else None
    in_memory = table is not None or whole_space is not None
    is_sorted = in_memory and top is None and backend == "sequential" and out.suffix != ARROW
    if model is None and not is_sorted:
        raise SettingsError(
            "the recipe transfer scores a table or a whole space into a CSV file; --top, --backend "
            "and sources of any length need a model"
        )
    header = None if model is None else ModelHeader.read(model)
    if header is not None and whole_space is not None:
        header.check_space(whole_space)
    listed = None
    if table is not None:
        listed = _listed_table(table, configurations, header)
    elif whole_space is not None and is_sorted:
        listed = _listed_space(whole_space)
    loaded = None if model is None else Model.load(model, device)
    if listed is not None and is_sorted:
        _predict_sorted(loaded, listed, out)
    elif loaded is not None and header is not None:
        source = str(space or table)
        settings = {"model": settings_checksum(header.settings), "source": source}
        _predict_stream(loaded, listed, source, out, top, pool, settings)


def _predict_sorted(model: Model | None, scored: Architectures, out: Path) -> None:
    """Write the scores of a table or of a whole space, the best first."""
    import numpy as np

    from pyg_nas.data.scores_file import write_scores
    from pyg_nas.graphs.cell_array import CellArray
    from pyg_nas.scoring.columns import architecture_columns

    cells, rows = scored.graphs, np.arange(len(scored.graphs))
    further: dict[str, Any] = {}
    with working(f"scoring {counted(len(cells), 'architecture')}"):
        if model is None:
            if not isinstance(cells, CellArray):
                raise SettingsError("the recipe transfer scores cells, got whole networks")
            from pyg_nas.predictors.common_process import transfer_scores

            scores = transfer_scores(cells)
        elif getattr(model.estimator, "provides_std", False):
            scores, std = model.estimator.predict(cells, return_std=True)
            further = {"mean": scores, "std": std}
        else:
            scores = model.estimator.predict(cells)
        larger_is_better = model is None or model.larger_is_better
        described = architecture_columns(scored, rows, None if model is None else model.network)
        hashes = scored.hashes_of(rows)
        write_scores(out, hashes, scores, larger_is_better, {**described, **further})
    print_line(f"{counted(len(cells), 'score')} in {out}, the best first")


def _predict_stream(
    model: Model,
    listed: Architectures | None,
    source: str,
    out: Path,
    top: int | None,
    workers: Workers,
    settings: dict[str, str],
) -> None:
    """Write the scores of a source of any length in its order, or the best of them."""
    import numpy as np

    from pyg_nas.scoring import ScoringTask, open_blocks, score_stream, stored_blocks

    if listed is not None:
        hashes = listed.hashes_of(np.arange(len(listed.graphs)))
        blocks = stored_blocks(listed.graphs, hashes, listed.texts, parameters=listed.parameters)
    else:
        blocks = open_blocks(source, model.estimator.space_)
    task = ScoringTask(
        model.estimator,
        model.larger_is_better,
        top,
        threads=None if workers.backend == "sequential" else 1,
        network=model.network,
    )
    with progress_bar("scoring, architectures") as advance:
        total = score_stream(
            task, blocks, out, settings=settings, workers=workers, progress=advance
        )
    if top is None:
        print_line(f"{counted(total, 'score')} in {out}, in the order of {source}")
    else:
        print_line(f"the best {min(top, total):,} of {counted(total, 'score')} in {out}")


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
    device: Device = "auto",
) -> None:
    """Plot predictions against measurements, of all cells and of the best ones.

    Example: pyg-nas plot model nasbench101.hdf5 --out scatter.png
    """
    from pyg_nas.visualization.files import check_format, save_figure
    from pyg_nas.visualization.plots import scatter

    check_output(out, table, model, scores)
    check_format(out)
    choice = metric, budget, run
    if scores is None:
        compared = _evaluated(model, table, split, choice, space, device)
    else:
        compared = _judged(scores, model, table, train, split, split_seed, choice, space)
    result = compared.result
    figure = scatter(
        result.measured,
        result.predicted,
        title=f"{compared.name}: trained on {result.protocol.train} cells, evaluated on {split}",
        larger_is_better=result.larger_is_better,
        fractions=result.fractions,
        note=compared.note,
    )
    save_figure(figure, out)
    print_line(f"{counted(len(result.rows), 'cell')} plotted in {out}")


def _listed_table(
    table: str, configurations: Path | None, header: ModelHeader | None
) -> Architectures:
    """The architectures of a table or of a list of whole networks, which the model can predict.

    They have the table's parameters if those are of the networks of the model.
    """
    from pyg_nas.data.sources import open_any_table
    from pyg_nas.data.table import Table
    from pyg_nas.predictors.network_lists import read_candidates
    from pyg_nas.scoring.blocks import Architectures

    path = Path(table)
    opened: Table | NetworkTable
    if path.is_file() or (configurations is None and not path.is_dir() and ":" not in table):
        opened = open_any_table(path, None if header is None else header.graph_space)
    else:
        with progress_bar("reading networks") as advance:
            opened = read_candidates(table, configurations, advance)
    network = None
    if header is not None:
        header.check_space(opened.space)
        network = header.network
    counts = None
    if isinstance(opened, Table) and network in (None, opened.network_size):
        known = not (opened.trainable_parameters < 0).any()
        counts = opened.trainable_parameters if known else None
    return Architectures(opened.cells, opened.hashes, opened.texts or (), counts)


def _listed_space(space: SearchSpace) -> Architectures:
    """All architectures of a space."""
    from pyg_nas.scoring.blocks import Architectures

    whole = space.support
    with working("listing the space"):
        if texts := tuple(whole.architecture_texts()):
            return Architectures(whole.cells_of_texts(texts), None, texts)
        return Architectures(whole.cells(), whole.hashes())


class _Compared(NamedTuple):
    """Predictions and measurements.

    Args:
        name: Name of the predictions.
        origin: Where they come from, for the JSON file.
        result: How they compare with the table.
        note: On labels that are substitutes.
    """

    name: str
    origin: dict[str, Any]
    result: Evaluation
    note: str


def _judged(
    scores: Path,
    table: Path,
    second: Path | None,
    train: str | None,
    split: str,
    split_seed: int,
    choice: _LabelChoice,
    space: str | None,
) -> _Compared:
    """Compare the scores of a file with a table."""
    from pyg_nas.data.labels import fallback_note
    from pyg_nas.data.scores_file import read_scores
    from pyg_nas.data.sources import open_any_table
    from pyg_nas.data.splits import Protocol
    from pyg_nas.predictors.trained import evaluate_scores

    if second is not None:
        raise SettingsError("with --scores there is no MODEL, give the table alone")
    if train is None:
        raise SettingsError(
            "--scores needs --train, the cells that trained the predictions: a split, a file of "
            "rows or hashes, or none"
        )
    Protocol(train, split, split_seed)
    check_label(*choice)
    opened = open_any_table(table, space)
    label = chosen_label(opened.default_label, *choice)
    protocol = Protocol(train, split, split_seed, label)
    result = evaluate_scores(opened, read_scores(scores, opened), protocol)
    origin = {"scores": scores.name, "without_score": result.without_score}
    return _Compared(scores.name, origin, result, fallback_note(opened, result.rows, label))


def _evaluated(
    model: Path,
    table: Path | None,
    split: str,
    choice: _LabelChoice,
    space: str | None,
    device: str,
) -> _Compared:
    """Compare the predictions of a model with a table."""
    from pyg_nas.data.labels import fallback_note
    from pyg_nas.data.sources import PLAIN, check_table_file, open_any_table
    from pyg_nas.data.splits import check_split
    from pyg_nas.graphs.registry import open_space
    from pyg_nas.predictors.model_header import ModelHeader, compared_rows
    from pyg_nas.predictors.trained import Model

    if table is None:
        raise SettingsError("Missing argument 'TABLE': a model and a table are needed")
    check_split(split)
    check_label(*choice)
    check_device(device)
    check_table_file(table)
    if space is not None and space != PLAIN:
        open_space(space)
    header = ModelHeader.read(model)
    protocol = header.require_protocol()
    with working("predicting"):
        opened = open_any_table(table, space or header.graph_space)
        header.check_space(opened.space)
        label = chosen_label(protocol.training_label(opened), *choice)
        # What the table lacks is refused before torch is imported.
        rows = compared_rows(protocol, header.training_hashes, opened, split, label)
        result = Model.load(model, device).compare(opened, rows)
    origin = {"recipe": header.recipe, "seed": header.seed}
    return _Compared(header.recipe, origin, result, fallback_note(opened, result.rows, label))
