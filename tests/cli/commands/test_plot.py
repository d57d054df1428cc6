"""The command plot, as a user runs it."""

from __future__ import annotations

from pathlib import Path

from tests.cli.command import pyg_nas


def test_plot_writes_a_picture(model_path: Path, table_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "scatter.png"
    assert pyg_nas("plot", model_path, table_path, "--out", out) == 0
    assert out.read_bytes().startswith(b"\x89PNG")
