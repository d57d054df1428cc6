"""``pyg-nas search``."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pyg_nas.cli.console import bold, print_line, print_next
from pyg_nas.cli.options import (
    Device,
    ImageSize,
    ImageSplitSeed,
    Log,
    MaxMacs,
    MaxParams,
    MaxTime,
    MaxTrainingTime,
    TrainingSettingsFile,
    longest_training,
    note_unused,
    seed_option,
)
from pyg_nas.cli.progress import working
from pyg_nas.cli.search_latency import (
    LatencyDevice,
    MaxLatency,
    check_latency_device,
    seconds_of,
    set_latency_model,
)
from pyg_nas.cli.search_run import SearchRun
from pyg_nas.cli.search_target import SearchTarget
from pyg_nas.cli.spaces import OWN
from pyg_nas.compute.device import check_device
from pyg_nas.errors import SettingsError
from pyg_nas.io.callbacks import open_logger
from pyg_nas.io.limits import MOST_CELLS, MOST_EPOCHS, MOST_RUNS
from pyg_nas.io.text import folder_name

if TYPE_CHECKING:
    from pyg_nas.report.search_facts import SearchFacts
    from pyg_nas.search.search_folder.settings import SearchSettings


def search(
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET",
            help="Table of cells or networks (.hdf5), graph file (.jsonl), or a task to train on.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the search; an existing one is resumed.")],
    method: Annotated[
        str, typer.Option(help="predictor, random, evolution, local or oracle.")
    ] = "predictor",
    n: Annotated[
        int | None,
        typer.Option(
            "--start",
            "--n",
            min=1,
            max=MOST_CELLS,
            help="Random architectures evaluated first, 16 by default.",
        ),
    ] = None,
    k: Annotated[
        int | None,
        typer.Option(
            "--refit",
            "--k",
            min=1,
            max=MOST_CELLS,
            help="Architectures evaluated in each round, 4 by default.",
        ),
    ] = None,
    rounds: Annotated[
        int | None,
        typer.Option(
            max=MOST_CELLS,
            help="Rounds after the random architectures; the predictor is fitted before each. "
            "Every method evaluates start + refit * rounds architectures. 11 by default, or 1 if "
            "--start or --refit is given.",
        ),
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            help="Defaults of --start, --refit, --rounds and --recipe: recommended, or for cells "
            "paper (172 random cells, then the 10 that the two-stage GCN predicts to be best). By "
            "default those of the search that is resumed, or else recommended."
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="The predictor's recipe, by default fast or networks, or your own class as "
            "file.py:Class."
        ),
    ] = None,
    acquisition: Annotated[
        str | None,
        typer.Option(
            help="Value that ranks proposals: mean (default), the prediction; or ei (expected "
            "improvement), ucb (upper confidence bound) or thompson (Thompson sampling), which "
            "need a recipe that also predicts a standard deviation."
        ),
    ] = None,
    max_params: MaxParams = None,
    max_macs: MaxMacs = None,
    max_latency: MaxLatency = None,
    latency_device: LatencyDevice = "cpu",
    max_training_time: MaxTrainingTime = None,
    max_time: MaxTime = None,
    seed: Annotated[int, seed_option("Random seed of all choices.")] = 0,
    seeds: Annotated[
        int,
        typer.Option(
            min=1,
            max=MOST_RUNS,
            help="Table: repeat the search with this number of seeds, from --seed on, in folders "
            "seed-N of --out, and draw the median regret with its quartiles.",
        ),
    ] = 1,
    budget: Annotated[
        int | None,
        typer.Option(
            max=MOST_EPOCHS,
            help="Epochs of each run. By default the largest budget of a table, and 12 on a task: "
            "a ninth of NAS-Bench-101's largest budget, and enough to rank cells.",
        ),
    ] = None,
    run: Annotated[
        str | None, typer.Option(help="Table: the run that is looked up, 0, 1, ... or mean.")
    ] = None,
    settings: TrainingSettingsFile = None,
    image_size: ImageSize = None,
    metric: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Table: the label that is searched for, by default validation accuracy: "
            "test_accuracy, training_time, or a target such as latency. Accuracies are maximised, "
            "costs minimised. Task: a function in place of accuracy, as in `measure`.",
        ),
    ] = None,
    split_seed: ImageSplitSeed = 0,
    runs: Annotated[
        int, typer.Option(min=1, max=MOST_RUNS, help="Task: runs of each cell, averaged.")
    ] = 1,
    backend: Annotated[
        str, typer.Option(help="Task: sequential, threading, loky, ray or dask.")
    ] = "sequential",
    workers: Annotated[
        int, typer.Option(help="Task: runs at a time; the next cell starts when one ends.")
    ] = 1,
    space: Annotated[
        str | None,
        typer.Option(
            help="Task: search space whose cells are trained: nasbench101 by default, nasbench201, "
            f"transnasbench101, {OWN}. Graph file: its space, or plain for graphs that are not "
            "cells."
        ),
    ] = None,
    early_stopping: Annotated[
        bool,
        typer.Option(
            "--early-stopping",
            help="First train each cell for a ninth and a third of --budget, and stop hopeless "
            "cells there; of use from about 60 cells on. The report has the time that this saves.",
        ),
    ] = False,
    log: Log = None,
    device: Device = "auto",
) -> None:
    """Search for the best cell or network of a table, or by training cells on a task.

    Writes a folder: settings.json, queries.jsonl (every choice in order), answer.json and its
    drawing, curves, Pareto fronts and report.md. The same command resumes a stopped search, and
    continues a finished one with more --rounds.

    Example: pyg-nas search photos --image-size 32 --out photos-search
    """
    from pyg_nas.cli.search_plan import plan_search
    from pyg_nas.predictors.recipes import check_recipe, check_subject
    from pyg_nas.search.constraints import Constraints
    from pyg_nas.search.early_stopping import EarlyStopping
    from pyg_nas.search.methods.acquisition import check_acquisition
    from pyg_nas.search.methods.by_name import check_method, check_predictor, make_strategy
    from pyg_nas.search.search_folder.folder import check_search_folder

    check_method(method)
    if method != "predictor":
        of_predictor = {"--recipe": recipe, "--acquisition": acquisition}
        note_unused(of_predictor, f"for the method predictor, got {method}")
    acquisition = check_acquisition(acquisition or "mean")
    if recipe is not None:
        check_recipe(recipe)
    check_device(device)
    if log is not None and seeds > 1:
        raise SettingsError(f"--log is for one search, got --seeds {seeds}")
    check_search_folder(out)
    searched = SearchTarget(
        target, budget, run, space, settings, image_size, metric, split_seed, runs, backend, workers
    )
    searched.check(method, seeds, max_latency, early_stopping)
    folders = _folders(out, seed, seeds)
    stored, of_networks = _stored(folders[seed]), searched.of_networks
    plan = plan_search(protocol, n, k, rounds, recipe, of_networks=of_networks, stored=stored)
    if method == "predictor":
        check_subject(plan.recipe, of_networks)
        check_predictor(plan.recipe, plan.n, acquisition)
    longest = longest_training(max_training_time, max_time)
    check_latency_device(latency_device, max_latency)
    limit = None if max_latency is None else seconds_of(max_latency)
    constraints = Constraints(max_params, longest, max_macs, limit)

    with ExitStack() as stack:
        with working("reading measurements" if searched.is_table else "reading cells and images"):
            evaluator, label = stack.enter_context(searched.opened(out, device))
        latencies = None if limit is None else set_latency_model(evaluator, latency_device, out)
        strategy = make_strategy(
            method,
            evaluator,
            n=plan.n,
            k=plan.k,
            recipe=plan.recipe,
            acquisition=acquisition,
            constraints=constraints,
            label=label,
            device=device,
        )
        run_search = SearchRun(
            target,
            strategy,
            evaluator,
            plan.total,
            constraints,
            latencies,
            latency_device,
            EarlyStopping.of(evaluator) if early_stopping else None,
            open_logger(log),
        )
        facts = {number: run_search(number, folder) for number, folder in folders.items()}
    _print(facts, out)
    if not searched.is_table and facts[seed].result.answer is not None:
        network = out.parent / f"{folder_name(out)}-network"
        options = {"--out": network, "--space": space, "--metric": metric}
        print_next("a trained network", ("finish", out), options)


def _folders(out: Path, seed: int, seeds: int) -> dict[int, Path]:
    """Return the folder of the search with each random seed."""
    from pyg_nas.search.search_folder.folder import check_search_folder
    from pyg_nas.search.search_folder.settings import SETTINGS

    if seeds == 1:
        return {seed: out}
    if (out / SETTINGS).exists():
        raise SettingsError(f"{out}: is the folder of one search; --seeds needs another one")
    folders = {number: out / f"seed-{number}" for number in range(seed, seed + seeds)}
    for folder in folders.values():
        check_search_folder(folder)
    return folders


def _stored(folder: Path) -> SearchSettings | None:
    """Return the settings of the search in a folder, if there is one."""
    from pyg_nas.search.search_folder.settings import SETTINGS, SearchSettings

    if not (folder / SETTINGS).exists():
        return None
    stored = SearchSettings.read(folder)
    if stored.kind == "external":
        raise SettingsError(
            f"{folder}: has a search whose architectures the user's own code trains; run "
            f"`pyg-nas ask {folder}` for the next ones, or give --out another folder"
        )
    return stored


def _print(facts: dict[int, SearchFacts], out: Path) -> None:
    """Print the result of one search, or what the searches with several random seeds have."""
    if len(facts) > 1:
        from pyg_nas.report.seed_summary import write_seeds

        print_line(write_seeds(out, list(facts), [each.result for each in facts.values()]))
    else:
        (one,) = facts.values()
        print_line(f"{one.title}:" if one.answer() else f"{one.title}.")
        for fact in [*one.answer(), *one.cost()]:
            print_line(f"{fact.name}: ", bold(fact.value), f" ({fact.note})" if fact.note else "")
    print_line(f"folder: {out}")
