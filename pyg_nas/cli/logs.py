"""The option of commands that send what they see to other tools."""

from __future__ import annotations

from typing import Annotated

import typer

Log = Annotated[
    str | None,
    typer.Option(
        help="Log to a tool as well: tensorboard:DIR, wandb:PROJECT or mlflow:URI. Each is an "
        "extra; a logger that fails is a warning."
    ),
]
