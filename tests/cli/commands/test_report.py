"""The command that writes a report."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from pyg_nas.cli.app import app
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import SettingsError


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["report", *map(str, arguments)])


@pytest.fixture(scope="module")
def sources(small_table: Table, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A model folder and its table."""
    folder = tmp_path_factory.mktemp("report")
    small_table.save(folder / "table.hdf5")
    train = ["train", str(folder / "table.hdf5"), "--split", "60", "--out", str(folder / "model")]
    result = CliRunner().invoke(app, [*train, "--recipe", "paper", "--epochs", "2"])
    assert result.exit_code == 0, result.output
    return folder / "model", folder / "table.hdf5"


@pytest.mark.parametrize("option", ["--learning-curve", "--no-learning-curve"])
def test_the_learning_curve_is_a_choice(
    option: str, sources: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "r.html"
    assert run(*sources, "--out", out, option).exit_code == 0
    assert ("<h2>Learning curve</h2>" in out.read_text()) == (option == "--learning-curve")


def test_a_report_is_html(sources: tuple[Path, Path], tmp_path: Path) -> None:
    for name in ("r.xyz", "r", "r.pdf"):
        result = run(*sources, "--out", tmp_path / name)
        assert result.exit_code != 0
        assert isinstance(result.exception, SettingsError)
        assert "a report is HTML, its name must end with .html or .htm" in str(result.exception)
    assert not list(tmp_path.iterdir())
