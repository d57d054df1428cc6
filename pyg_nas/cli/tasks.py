"""The options of a task, which ``measure`` and ``search`` share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pyg_nas.io.limits import MOST_SEED

TrainingSettingsFile = Annotated[
    Path | None, typer.Option(help="JSON file of training settings that replace the task's own.")
]
ImageSize = Annotated[
    int | None, typer.Option(help="Resize the images of a folder to that many pixels a side.")
]
Metric = Annotated[
    str | None,
    typer.Option(
        metavar="MODULE:FUNCTION",
        help="Function of (labels, predictions) in place of accuracy, larger is better: "
        "my_file.py:score or sklearn.metrics:cohen_kappa_score.",
    ),
]
SplitSeed = Annotated[
    int, typer.Option(min=0, max=MOST_SEED, help="Random seed of the split of the images.")
]


def check_settings_file(path: Path | None) -> None:
    """Check a file of training settings before cells and images are read.

    Raises:
        SettingsError: If it cannot be read, or a setting is unknown or breaks its rule.
    """
    from pyg_nas.measure.settings import TrainingSettings

    if path is not None:
        TrainingSettings().changed_by_file(path)
