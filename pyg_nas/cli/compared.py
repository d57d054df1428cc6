"""What ``pyg-nas evaluate`` and ``plot`` compare: options, predictions and measurements."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from pyg_nas.cli.options import (
    check_drawn,
    check_label,
    import_own,
    refuse,
    seed_option,
    table_label,
)
from pyg_nas.cli.progress import working
from pyg_nas.compute.device import check_device
from pyg_nas.errors import SettingsError

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


class Compared(NamedTuple):
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
    def of(cls, name: str, origin: dict[str, Any], result: Evaluation, table: AnyTable) -> Compared:
        """Compare with the label of the result's protocol."""
        from pyg_nas.data.protocols.label_texts import fallback_note, label_name, label_unit

        label = result.protocol.compared_label(table)
        note = fallback_note(table, result.rows, label)
        shown, unit = label_name(table, label), label_unit(table, label)
        return cls(name, origin, result, note, shown, unit, table.thing)


Label = tuple[str | None, int | None, str | None]
"""Metric, budget and run of the measurements; None for the default."""


def compare_with_table(
    first: Path,
    second: Path | None,
    split: str,
    label: Label,
    scores: Path | None,
    train: str | None,
    split_seed: int,
    space: str | None,
    recipe: str | None,
    device: str,
) -> Compared:
    """Compare a model's predictions with a table, or the scores of a file in their place.

    Args:
        first: The first path: the model, or with ``scores`` the table.
        second: The second path: the table, or with ``scores`` None.
        train: With ``scores``, the training cells of the predictions.

    Raises:
        PygNasError: If an option is not for the source of the predictions, one of the files cannot
            be used, or there is nothing to compare.
    """
    _check_source(scores, split_seed, recipe, device)
    if scores is None:
        if train is not None:
            raise SettingsError("--train is used with --scores alone: a model names its cells")
        if second is None:
            raise SettingsError("Missing argument 'TABLE': a model and a table are needed")
        return _compare_model(first, second, split, label, space, device)
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
    check_drawn(split_seed, train, split)
    check_label(*label)
    opened = open_any_table(first, space)
    protocol = replace(protocol, label=table_label(opened, *label))
    result = evaluate_scores(opened, read_scores(scores, opened), protocol)
    origin = {"scores": scores.name, "without_score": result.without_score}
    return Compared.of(scores.name, origin, result, opened)


def _check_source(scores: Path | None, split_seed: int, recipe: str | None, device: str) -> None:
    """Refuse options of a model for a file of scores, and the other way round."""
    if scores is None:
        seed = {"--split-seed": split_seed or None}
        refuse(seed, "is used with --scores alone: a model names its cells")
    else:
        of_model = {"--recipe": recipe, "--device": None if device == "auto" else device}
        refuse(of_model, f"is for a model, the predictions are those of {scores}")
    import_own(recipe)


def _compare_model(
    model: Path, table: Path, split: str, label: Label, space: str | None, device: str
) -> Compared:
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
        compared = table_label(opened, *label, default=protocol.training_label(opened))
        # What the table lacks is refused before torch is imported.
        rows = compared_rows(protocol, header.training_hashes, opened, split, compared)
        result = TrainedPredictor.from_header(header, device).compare(opened, rows)
    origin = {"recipe": header.recipe, "seed": header.seed}
    return Compared.of(header.recipe, origin, result, opened)
