"""``pyg-nas export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export(
    model: Annotated[Path, typer.Argument(help="Folder that `pyg-nas train` wrote.")],
    out: Annotated[Path, typer.Option(help="File ending in .onnx or .pt2 (torch.export).")],
) -> None:
    """Write a model for use without PyG, checked against the model itself."""
    from rich.console import Console

    from pyg_nas.io.files import check_output
    from pyg_nas.predictors.export import export_model
    from pyg_nas.predictors.storage import load_model

    check_output(out, model)
    export_model(load_model(model, device="cpu"), out)
    Console(highlight=False).print(f"exported: {out}")
