"""The options that limit what a search may return: the same for ``search`` and ``ask``."""

from __future__ import annotations

from typing import Annotated

import typer

from pyg_nas.errors import SettingsError

MaxParams = Annotated[
    int | None, typer.Option(help="Never propose cells with more trainable parameters.")
]
MaxMacs = Annotated[
    int | None,
    typer.Option(help="Never propose cells whose network needs more MACs for one image."),
]
MaxTrainingTime = Annotated[
    float | None, typer.Option(help="Longest training time, in seconds, that the answer may have.")
]
MaxTime = Annotated[float | None, typer.Option(hidden=True)]
"""Name of the same option in version 0.1."""


def longest_training(max_training_time: float | None, max_time: float | None) -> float | None:
    """Return the limit on the training time, whichever of its two options was used.

    Raises:
        SettingsError: If both were used.
    """
    if max_training_time is not None and max_time is not None:
        raise SettingsError(
            "--max-time is the old name of --max-training-time: give one of them, not both"
        )
    return max_time if max_training_time is None else max_training_time
