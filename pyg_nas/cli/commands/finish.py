"""``pyg-nas finish``: from a search to a trained network."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from pyg_nas.cli.console import bold, print_line, print_note, resumable
from pyg_nas.cli.options import Backend, Device, Log
from pyg_nas.cli.progress import campaign_progress, progress_bar, working
from pyg_nas.cli.spaces import chosen_space
from pyg_nas.compute.device import check_device
from pyg_nas.errors import SettingsError
from pyg_nas.io.callbacks import open_logger
from pyg_nas.io.files import check_output_folder
from pyg_nas.io.limits import MOST_CELLS, MOST_EPOCHS, MOST_RUNS
from pyg_nas.io.text import counted, milliseconds, percent


def finish(
    search: Annotated[
        Path, typer.Argument(metavar="SEARCH", help="Folder of `pyg-nas search` on a task.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the trained network.")],
    top: Annotated[
        int,
        typer.Option(
            min=1, max=MOST_CELLS, help="Best cells of the search that are trained again."
        ),
    ] = 5,
    seeds: Annotated[int, typer.Option(min=2, max=MOST_RUNS, help="Runs of each of them.")] = 5,
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MOST_EPOCHS,
            help="Epochs of the final training; by default those of the search.",
        ),
    ] = None,
    images: Annotated[
        str | None, typer.Option(help="Where the images are, if they have moved since the search.")
    ] = None,
    space: Annotated[
        str | None,
        typer.Option(help="file.py:NAME of the space of the search, if it is one of your own."),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(metavar="MODULE:FUNCTION", help="Metric of the search, if it had one."),
    ] = None,
    backend: Backend = "sequential",
    workers: Annotated[int, typer.Option(help="Runs at a time; -1 for all cores.")] = 1,
    log: Log = None,
    device: Device = "auto",
) -> None:
    """Train the best cell of a search on all training images and export the trained network.

    The best cells are trained again with new random seeds. The smallest one within one standard
    error of the best is then trained on all images except the test images. Cells that are measured
    to be slower than the search's --max-latency are passed over. The folder has the network as .pt2
    and .onnx (images [B, C, H, W], normalisation inside), its weights, predict.py and a model card.
    The same command resumes a stopped one.

    Example: pyg-nas finish photos-search --out photos-network
    """
    check_device(device)
    from pyg_nas.measure.campaigns.executor import Executor
    from pyg_nas.measure.trained_network.script import PREDICT
    from pyg_nas.search.finish import Finish

    check_output_folder(out)
    executor = Executor(backend=backend, workers=workers, device=device)
    given = None if space is None else chosen_space(space)
    with working("reading search and images"):
        steps = Finish(search, out, images, top, seeds, epochs, metric)
    if given is not None and given != steps.space:
        raise SettingsError(
            f"--space {space}: {search} is a search in the space {steps.space.name}"
        )
    if steps.is_done:
        steps.clean()
        print_line(f"{out}: is already finished")
        return
    logger = open_logger(log)
    with resumable(search), steps.locked():
        if steps.limit is not None:
            with working("measuring latencies"):
                passed_over = steps.candidates.passed_over
            for digest, seconds in passed_over.items():
                print_note(
                    f"cell {digest} is passed over: its measured latency is "
                    f"{milliseconds(seconds)}, the limit {milliseconds(steps.limit.seconds)}"
                )
        with progress_bar("confirming, epochs") as advance:
            confirmation = steps.confirm(executor, campaign_progress(advance))
        with progress_bar("training, steps") as advance:
            network = steps.train(confirmation, executor, advance)
        with working("checking and writing"):
            about = steps.write(confirmation, network)
        steps.clean()
    _print(about)
    logger.on_end(_figures(about))
    print_line(f"folder: {out}")
    print_line(f"next, how to use it: {shlex.join(['python', str(out / PREDICT)])}")


def _figures(about: dict[str, Any]) -> dict[str, float]:
    """Return what is logged of the network."""
    test = about["test"]
    figures = {name: test.get(name) for name in ("accuracy", "score", "low", "high")}
    known = {f"test_{name}": float(value) for name, value in figures.items() if value is not None}
    sizes = {name: float(about[name]) for name in ("parameters", "macs")}
    return {**known, **sizes, "latency_seconds": float(about["latency"]["median"])}


def _print(about: dict[str, Any]) -> None:
    from pyg_nas.measure.trained_network.card import doubt, is_device_of_limit, shown_score

    test, latency, limit = about["test"], about["latency"], about["latency_limit"]
    if "accuracy" in test:
        low, high = (100 * test[end] for end in ("low", "high"))
        print_line(
            "test accuracy: ",
            bold(percent(test["accuracy"], 2)),
            f" ({percent(test['confidence'])} interval {low:.2f} to {high:.2f})",
        )
    if test["score_name"] != "accuracy":
        print_line(f"test {test['score_name']}: ", bold(shown_score(test)))
    print_line("trainable parameters: ", bold(f"{about['parameters']:,}"))
    print_line("multiply-accumulates: ", bold(f"{about['macs']:,}"), " per image")
    known = [] if limit is None else [f"limit {milliseconds(limit['limit'])}"]
    if known and limit["predicted"] is not None:
        known.append(f"expected {milliseconds(limit['predicted'])}")
        if not is_device_of_limit(latency["processor"], limit["device"]):
            known[-1] += f"; their device: {limit['device']}"
    note = f" ({', '.join(known)})" if known else ""
    where = f"{latency['processor']}, {counted(latency['threads'], 'thread')}"
    print_line("latency: ", bold(milliseconds(latency["median"])), f" per image, on {where}{note}")
    print_line("module hash: ", bold(about["confirmation"]["chosen"]))
    if text := doubt(about):
        print_note(text)
    if about["onnx_missing"] is not None:
        print_note(f"no .onnx file: {about['onnx_missing']}")
