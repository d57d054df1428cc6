"""``pyg-nas profile``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from pyg_nas.cli.console import print_line, resumable
from pyg_nas.cli.options import Configurations, Readers, check_table_output, refuse
from pyg_nas.cli.progress import progress_bar
from pyg_nas.compute.device import check_device
from pyg_nas.compute.workers import MOST_WORKERS
from pyg_nas.io.limits import MOST_PASSES, MOST_RETRIES
from pyg_nas.io.text import counted, percent


def profile(
    networks: Annotated[
        str,
        typer.Argument(
            metavar="NETWORKS",
            help="Folder of ONNX files, or file.py:function or module:function that returns a "
            "module and its example inputs.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Table of networks to write (.hdf5).")],
    configurations: Configurations = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:1.")] = "cpu",
    threads: Annotated[
        int, typer.Option(min=1, max=MOST_WORKERS, help="Threads of a pass on the CPU.")
    ] = 1,
    warm_up: Annotated[
        int, typer.Option(max=MOST_PASSES, help="Passes before those that are measured.")
    ] = 3,
    repeats: Annotated[int, typer.Option(max=MOST_PASSES, help="Passes that are measured.")] = 25,
    most_noise: Annotated[
        float,
        typer.Option(
            help="Largest noise of a measurement: interquartile range of the passes divided by "
            "their median, and drift of the reference network. Noisier ones are not recorded."
        ),
    ] = 0.1,
    retries: Annotated[
        int,
        typer.Option(
            min=0,
            max=MOST_RETRIES,
            help="How often a noisier network is measured again, after all others.",
        ),
    ] = 3,
    workers: Readers = 1,
) -> None:
    """Measure latency and peak memory of networks on this machine, and count parameters and MACs.

    Run it on an otherwise idle machine. Every measurement is stored in OUT.journal.jsonl: the same
    command resumes, and measures noisy networks again. A network at which the command was killed or
    crashed is measured last; one at which that happened twice is left out.

    Example: pyg-nas profile onnx_files --out latencies.hdf5
    """
    from pyg_nas.measure.settings import ProfileSettings
    from pyg_nas.predictors.networks.lists import named_sources

    check_device(device)
    if device != "cpu":
        refuse({"--threads": None if threads == 1 else threads}, f"is for a CPU, got {device}")
    check_table_output(out)
    settings = ProfileSettings(device, threads, warm_up, repeats, most_noise, retries)
    sources = named_sources(networks, configurations)
    from pyg_nas.measure.profiles.profile import profile_networks

    with resumable(f"{out}.journal.jsonl"), progress_bar("measuring networks") as advance:
        reading = partial(advance, text="reading their graphs")
        result = profile_networks(sources, out, settings, advance, reading, workers)
    for name, noise in result.noisy.items():
        print_line(f"too noisy ({percent(noise, 1)}), not recorded: {name}")
    for name, reason in result.failed.items():
        print_line(f"left out: {name}: {reason}")
    measured = len(result.table) - len(result.noisy)
    print_line(f"{measured:,} of {counted(len(sources), 'network')} measured: {out}")
    if result.noisy or result.failed:
        raise typer.Exit(1)
