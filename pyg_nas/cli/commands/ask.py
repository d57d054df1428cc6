"""``pyg-nas ask``: architectures to train, of a search for code outside of this package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from pyg_nas.cli.console import print_line, print_note
from pyg_nas.cli.options import (
    Configurations,
    MaxMacs,
    MaxParams,
    MaxTime,
    MaxTrainingTime,
    Readers,
    longest_training,
    note_unused,
    refuse,
    seed_option,
)
from pyg_nas.cli.progress import progress_bar, working
from pyg_nas.cli.spaces import OWN, chosen_space
from pyg_nas.compute.device import check_device
from pyg_nas.io.limits import MOST_CELLS
from pyg_nas.io.text import counted


def ask(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of the search.")],
    n: Annotated[int, typer.Option(min=1, max=MOST_CELLS, help="Architectures to return.")] = 1,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON: graph, hash, parameters, reason.")
    ] = False,
    reissue_after: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="SECONDS",
            help="First return architectures without an outcome that were handed out more than "
            "this time ago: their worker may have died.",
        ),
    ] = None,
    space: Annotated[str | None, typer.Option(help=f"Search space, by name, {OWN}.")] = None,
    networks: Annotated[
        str | None,
        typer.Option(
            help="In place of a space, whole networks to choose from: a table of networks, a "
            "folder of ONNX files, or file.py:function."
        ),
    ] = None,
    configurations: Configurations = None,
    workers: Readers = 1,
    method: Annotated[
        str | None, typer.Option(help="predictor (default), random, evolution or local.")
    ] = None,
    start: Annotated[
        int | None,
        typer.Option(
            min=1, max=MOST_CELLS, help="Random architectures before the first fit; 16 by default."
        ),
    ] = None,
    refit: Annotated[
        int | None,
        typer.Option(
            min=1, max=MOST_CELLS, help="Architectures proposed after each fit; 4 by default."
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="The predictor's recipe, or your own class as file.py:Class; by default fast, or "
            "networks."
        ),
    ] = None,
    acquisition: Annotated[
        str | None,
        typer.Option(
            help="Value that ranks proposals: mean (default), the prediction; or ei (expected "
            "improvement), ucb (upper confidence bound) or thompson (Thompson sampling)."
        ),
    ] = None,
    max_params: MaxParams = None,
    max_macs: MaxMacs = None,
    max_training_time: MaxTrainingTime = None,
    max_time: MaxTime = None,
    seed: Annotated[int | None, seed_option("Random seed of all choices.")] = None,
    device: Annotated[str, typer.Option(help="Where predictors are fitted: cpu, cuda, auto.")] = (
        "auto"
    ),
) -> None:
    """Print architectures to train, one per line: number, space character, text form.

    The first call creates the folder with the given settings. Later calls need no settings and
    refuse different ones. Any number of processes can ask and tell at the same time.

    Example: pyg-nas ask my-search --n 8
    """
    from pyg_nas.search.ask_tell import Search
    from pyg_nas.search.search_folder.settings import SETTINGS

    check_device(device)
    if networks is None:
        of_networks = {
            "--workers": None if workers == 1 else workers,
            "--configurations": configurations,
        }
        refuse(of_networks, "is for networks: give --networks too")
    is_new = not (folder / SETTINGS).exists()
    listed = None
    if networks is not None:
        from pyg_nas.predictors.networks.lists import read_candidates

        with progress_bar("reading networks") as advance:
            listed = read_candidates(networks, configurations, advance, workers)
    given = {
        "space": None if space is None else chosen_space(space),
        "networks": listed,
        "method": method,
        "n": start,
        "k": refit,
        "recipe": recipe,
        "acquisition": acquisition,
        "max_parameters": max_params,
        "max_seconds": longest_training(max_training_time, max_time),
        "max_macs": max_macs,
        "seed": seed,
    }
    given = {name: value for name, value in given.items() if value is not None}
    with working("choosing architectures"):
        search = Search.open(folder, device, **given)
        used = search.strategy.describe()["method"]
        if used != "predictor":
            of_predictor = {"--start": start, "--recipe": recipe, "--acquisition": acquisition}
            note_unused(of_predictor, f"for the method predictor, got {used}")
            if used != "random":
                note_unused({"--refit": refit}, f"for the methods predictor and random, got {used}")
        candidates = search.ask(n, reissue_after=reissue_after)
    if is_new:  # on stderr, where a mistyped folder is seen and no script reads
        listed_space = search.evaluator.domain.space.name
        print_note(f"{folder}: new search, space {listed_space}, random seed {search.seed}")
    if as_json:
        records: list[dict[str, Any]] = [
            {**candidate.to_dict(), "text": candidate.text} for candidate in candidates
        ]
        print_line(json.dumps(records))
    else:
        for candidate in candidates:
            print_line(f"{candidate.id} {candidate.text or json.dumps(candidate.cell.to_dict())}")
    if len(candidates) < n:
        print_note(f"only {counted(len(candidates), 'architecture')}: no other is left")
