"""Options that several commands have."""

from __future__ import annotations

import pytest
import typer
from typer.testing import CliRunner

from pyg_nas.cli.options import Jobs
from pyg_nas.errors import SettingsError


def test_jobs_are_a_number_or_all() -> None:
    app = typer.Typer()

    @app.command()
    def count(jobs: Jobs = 1) -> None:
        print(jobs)

    for given, code in (("-1", 0), ("3", 0), ("-2", 2), ("10001", 2), ("1.5", 2)):
        assert CliRunner().invoke(app, ["--jobs", given]).exit_code == code
    with pytest.raises(SettingsError, match="--jobs must be a number of processes"):
        CliRunner().invoke(app, ["--jobs", "0"], catch_exceptions=False)
