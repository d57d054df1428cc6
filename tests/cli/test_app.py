"""The command line's entry."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from pyg_nas.cli.app import app, main
from pyg_nas.io.user_code import object_named

VERSION = """
import os, sys
from pyg_nas.cli.app import main
sys.argv = ["pyg-nas", "--version"]
try:
    main()
except SystemExit:
    pass
print(os.environ["OMP_WAIT_POLICY"], "torch" in sys.modules)
"""


@pytest.mark.parametrize(
    ("own", "expected"), [({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")]
)
def test_threads_are_told_to_wait_asleep_before_torch_is_there(
    own: dict[str, str], expected: str
) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"} | own
    run = subprocess.run(
        [sys.executable, "-c", VERSION],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split()[-2:] == [expected, "False"]


@pytest.mark.parametrize("raised", ["ValueError('two\\nlines')", "SystemExit(0)", "OSError('x')"])
def test_what_the_users_code_raises_is_one_line(
    raised: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    path = tmp_path / "users_command.py"
    path.write_text(f"def work(**_):\n    raise {raised}\n")
    monkeypatch.setattr("pyg_nas.cli.app.app", object_named(f"{path}:work"))
    with pytest.raises(SystemExit) as exit_:
        main()
    assert exit_.value.code == 2
    kind = raised.partition("(")[0]
    assert capsys.readouterr().err.startswith(f"error: users_command.py, line 2: {kind}: ")


def commands(group: Any, name: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, command in group.commands.items():
        inner = f"{name} {key}"
        found |= commands(command, inner) if hasattr(command, "commands") else {inner: command}
    return found


def test_every_command_shows_an_example() -> None:
    listed = commands(typer.main.get_command(app), "pyg-nas")
    assert "pyg-nas table import" in listed
    for name, command in listed.items():
        assert f"Example: {name}" in " ".join((command.help or "").split()), name
