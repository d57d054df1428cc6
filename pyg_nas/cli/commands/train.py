"""``pyg-nas train``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pyg_nas.cli.console import bold, print_line
from pyg_nas.cli.options import (
    Device,
    GraphSpace,
    LearnedBudget,
    LearnedRun,
    Log,
    SplitSeed,
    TablePath,
    check_drawn,
    check_label,
    refuse,
    seed_option,
    table_label,
)
from pyg_nas.cli.progress import progress_bar
from pyg_nas.compute.device import check_device
from pyg_nas.io.callbacks import open_logger
from pyg_nas.io.limits import MOST_EPOCHS

if TYPE_CHECKING:
    from pyg_nas.data.protocols.labels import LabelPolicy
    from pyg_nas.data.tables.sources import AnyTable


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
        typer.Option(
            help="best (the default), fast, small-gp, transfer, paper or two-stage; latency or "
            "networks for whole networks; or your own class as file.py:Class."
        ),
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
            "train_accuracy, training_time, or a target of the table's own, such as latency_raspi4."
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
    from pyg_nas.data.networks.table import NetworkTable
    from pyg_nas.data.protocols.label_texts import label_sentence
    from pyg_nas.data.protocols.protocol import Protocol
    from pyg_nas.data.tables.sources import open_any_table
    from pyg_nas.predictors.parameter_rules import real
    from pyg_nas.predictors.recipes import (
        DEFAULT_RECIPE,
        check_epochs,
        check_recipe,
        check_subject,
        make_estimator,
        read_recipe,
        recipe_needs,
    )
    from pyg_nas.predictors.storage.folder import check_model_folder, check_storable
    from pyg_nas.predictors.trained import TrainedPredictor

    Protocol(train=split, split_seed=split_seed)
    check_drawn(split_seed, split)
    check_label(metric, budget, run)
    check_recipe(recipe or DEFAULT_RECIPE)
    real(least=0, optional=True)("learning_rate", lr)
    check_device(device)
    has_model = check_model_folder(out)
    opened = open_any_table(table, space)
    is_of_networks = isinstance(opened, NetworkTable)
    label = table_label(opened, metric, budget, run)
    options: dict[str, Any] = {"epochs": epochs, "learning_rate": lr}
    given = {name: value for name, value in options.items() if value is not None}
    chosen = recipe or _default_recipe(opened, label)
    if settings is not None:
        chosen, of_file = read_recipe(settings, recipe, default=chosen)
        given = of_file | given
    if settings is None and given:
        check_epochs(chosen)
    check_subject(chosen, is_of_networks)
    if is_of_networks:
        refuse({"--space": space}, f"is for cells, {table} is a table of networks")
    protocol = Protocol(train=split, split_seed=split_seed, label=label)
    # What the table lacks is refused before torch is imported.
    cells = len(protocol.apply(opened).train)
    recipe_needs(chosen).check_cells(chosen, cells)
    estimator = make_estimator(chosen, label, seed, device, **given)
    check_storable(estimator)
    logger = open_logger(log)
    if has_model:
        print_line(f"{out} has a model, which is replaced when the training has ended")
    with progress_bar("training, epochs") as advance:
        total = _total_epochs(estimator, cells)

        def on_epoch(epoch: int, loss: float) -> None:
            advance(epoch, total, f"loss {loss:.4f}")

        model = TrainedPredictor.train(
            opened, protocol, chosen, seed, device, on_epoch, logger, **given
        )
    model.save(out)
    trained = f"{len(model.training_hashes)} {opened.thing}s"
    print_line(bold(model.recipe), f" trained on {trained} of {table.name}")
    print_line(f"label: {label_sentence(label, model.unit)}")
    print_line(f"model: {out}")


def _default_recipe(table: AnyTable, label: LabelPolicy) -> str:
    from pyg_nas.data.networks.table import NetworkTable
    from pyg_nas.predictors.recipes import DEFAULT_RECIPE, LATENCY_RECIPE, NETWORK_RECIPE

    if not isinstance(table, NetworkTable):
        return DEFAULT_RECIPE
    is_latency = "latency" in label.metric and not label.larger_is_better
    # A difference of latencies may not be.
    are_positive = not (table.label(label) <= 0).any()
    return LATENCY_RECIPE if is_latency and are_positive else NETWORK_RECIPE


def _total_epochs(estimator: Any, cells: int) -> int | None:
    """Return the epochs of a fit to a number of cells; None where they are not known."""
    if hasattr(estimator, "epochs_for"):
        epochs = estimator.epochs_for(cells)
    else:
        epochs = estimator.get_params().get("epochs")
    return epochs if isinstance(epochs, int) else None
