"""The option of commands that send what they see to other tools."""

from __future__ import annotations

from typing import Annotated

import typer

Log = Annotated[
    str | None,
    typer.Option(
        help="Also log to tensorboard:DIR, wandb:PROJECT or mlflow:URI, each an extra of the "
        "package. If logging fails, a warning is printed and the work continues."
    ),
]
