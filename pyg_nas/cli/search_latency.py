"""The limit on latency of ``pyg-nas search``: its options, and the measurement that it needs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pyg_nas.cli.console import print_note
from pyg_nas.cli.progress import progress_bar, working
from pyg_nas.errors import SettingsError, quoted
from pyg_nas.io.text import percent

if TYPE_CHECKING:
    from pyg_nas.search.evaluators.evaluator import Evaluator
    from pyg_nas.search.latency import LatencyModel

MaxLatency = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="Never propose cells whose network is predicted to take longer per image, such as "
        "5ms. Before the search some networks are measured for these predictions.",
    ),
]
LatencyDevice = Annotated[
    str,
    typer.Option(
        metavar="DEVICE",
        help="Device on which latencies are measured: cpu, cuda or cuda:1. Without a measurement: "
        "a table with a target named latency, or the folder of a model that predicts latencies, of "
        "cells or of whole networks, in seconds unless their unit is stated; or shipped, the "
        "package's table of networks. Cells whose latency a table has are looked up there.",
    ),
]
_TIME = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*(s|ms|us|)")


def seconds_of(text: str) -> float:
    """Return the seconds of a time such as ``5ms``; a number alone is in seconds.

    Raises:
        SettingsError: If it is not a time above 0.
    """
    from pyg_nas.data.protocols.direction import SECONDS

    found = _TIME.fullmatch(text.strip().lower())
    seconds = float(found[1]) * SECONDS[found[2] or "s"] if found else 0.0
    if not seconds > 0:
        raise SettingsError(f"--max-latency {quoted(text)} must be a time above 0, such as 5ms")
    return seconds


def check_latency_device(device: str, max_latency: str | None) -> None:
    """Check the options before any work is done.

    Raises:
        SettingsError: If a device is named that cannot be used, or a model of something that is
            no cost.
        ModelError: If a folder is not of a model.
        TableError: If a file cannot be read.
    """
    from pyg_nas.compute.device import check_device, is_device_name
    from pyg_nas.data.tables.shipped import SHIPPED
    from pyg_nas.data.tables.sources import check_table_file
    from pyg_nas.predictors.storage.header import ModelHeader

    if max_latency is None:
        if device != "cpu":
            raise SettingsError("--latency-device is used with --max-latency alone")
    elif is_device(device):
        if not is_device_name(device):
            raise SettingsError(
                f"--latency-device {quoted(device)} must be cpu, cuda, cuda:1, {SHIPPED}, or a "
                f"table or model folder that exists"
            )
        check_device(device)
    elif Path(device).is_dir():
        protocol = ModelHeader.read(device).protocol
        label = None if protocol is None else protocol.label
        if label is not None and label.larger_is_better:
            raise SettingsError(
                f"--latency-device {device}: predicts {label.metric}, a model of latencies is "
                f"needed"
            )
    elif device != SHIPPED:
        check_table_file(device)


def is_device(device: str) -> bool:
    """Return whether latencies are measured on a device, and not read from a file."""
    from pyg_nas.data.tables.shipped import SHIPPED

    return device != SHIPPED and not Path(device).exists()


def set_latency_model(evaluator: Evaluator, device: str, out: Path) -> LatencyModel:
    """Give an evaluator the latencies of its networks, measured unless ``device`` is a file."""
    from pyg_nas.measure.settings import ProfileSettings
    from pyg_nas.search.latency import measured_latencies, stored_latencies

    if not is_device(device):
        with working("predicting latencies"):
            model = stored_latencies(device, evaluator.domain, evaluator.network)
    else:
        # Twice the usual noise: the median of a cell's passes is one of many.
        settings = ProfileSettings(device=device, most_noise=0.2, retries=1)
        with progress_bar("measuring latencies") as advance:
            model = measured_latencies(
                evaluator.domain, evaluator.network, out, settings, progress=advance
            )
    evaluator.latency = model
    found = model.describe()
    if found["median_error"] is not None:
        print_note(
            f"latency: predicted from {found['measured_cells']:,} measured networks ({device}), "
            f"median error {percent(found['median_error'], 1)}, 90 % below "
            f"{percent(found['error_90'], 1)}"
        )
    elif model.known:
        print_note(f"latency: {device} has that of every cell")
    return model
