"""A short form of :mod:`tests.fuzz.hostile`, whose long form is run by hand."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.fuzz.cases import CASES
from tests.fuzz.hostile import PARTS, ROOT


def test_every_command_has_its_parts() -> None:
    for kind in ("read-only", "full disk", "same"):
        assert {f"{kind}:{name}" for name in CASES} <= set(PARTS)
    assert len(PARTS) == len(set(PARTS))


def test_a_killed_import_leaves_nothing_half_written(tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    only = [f"--only={part}:import" for part in ("kill", "full disk", "read-only")]
    # In a process of its own, because it forks.
    command = [sys.executable, "-m", "tests.fuzz.hostile", str(result), "--kills", "2", *only]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    found = json.loads(result.read_text())
    assert found["kill:import"]["kills"] >= 2
    assert found["full disk:import"]["wrong"] == []
    assert found["read-only:import"]["wrong"] == []
