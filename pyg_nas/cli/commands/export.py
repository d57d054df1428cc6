"""``pyg-nas export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pyg_nas.cli.console import print_line
from pyg_nas.cli.progress import working
from pyg_nas.io.files import check_output


def export(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL",
            help="Folder that `pyg-nas train` wrote with the recipe paper or two-stage.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="File to write: .onnx, or .pt2 (torch.export).")],
) -> None:
    """Write a model for use without PyTorch Geometric, checked against the model itself.

    Example: pyg-nas export model --out model.onnx
    """
    from pyg_nas.compute.exported import check_program_format
    from pyg_nas.predictors.storage.folder import check_exportable, load_described, read_settings

    check_output(out, model)
    check_program_format(out)
    settings = read_settings(model)
    check_exportable(settings["model"], model)
    from pyg_nas.predictors.storage.export import export_model

    with working("exporting"):
        export_model(load_described(model, settings, device="cpu"), out)
    print_line(f"exported: {out}")
