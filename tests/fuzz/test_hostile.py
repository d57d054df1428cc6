"""A short form of :mod:`tests.fuzz.hostile`, whose long form is run by hand."""

from __future__ import annotations

import json
from pathlib import Path

from tests.fuzz.hostile import CASES, PARTS, main


def test_every_command_has_all_parts() -> None:
    assert len(set(PARTS)) == 5 * len(CASES)


def test_a_killed_conversion_leaves_nothing_half_written(tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    only = [f"--only={part}:convert" for part in ("kill", "full disk")]
    assert main([str(result), "--kills", "2", *only]) == 0, result.read_text()
    found = json.loads(result.read_text())
    assert found["kill:convert"]["kills"] >= 2
    assert found["full disk:convert"]["wrong"] == []
