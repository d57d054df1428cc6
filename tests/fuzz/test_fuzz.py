"""At least 10,000 damaged inputs through the public readers; see :mod:`tests.fuzz.worker`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.worker import READERS

ROOT = Path(__file__).parents[2]
COUNTS = {
    "table": 3_500,
    "tfrecord": 2_500,
    "graphs": 2_500,
    "model": 600,
    "search": 250,
    "values": 1_000,
    "settings": 600,
    "paths": 300,
}
MOST_MEMORY_MIB = 2_048


def test_there_are_enough_inputs() -> None:
    assert set(COUNTS) == set(READERS)
    assert sum(COUNTS.values()) >= 10_000


@pytest.mark.parametrize("kind", COUNTS)
def test_damaged_inputs_give_a_result_or_the_documented_error(kind: str, tmp_path: Path) -> None:
    # In a process of its own: a reader that crashes takes no other test with it.
    command = [sys.executable, "-m", "tests.fuzz.worker", kind, str(tmp_path), "0"]
    path = os.pathsep.join([str(ROOT), *filter(None, sys.path)])
    done = subprocess.run(
        [*command, str(COUNTS[kind])],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["accepted"] > 0
    assert summary["refused"] > COUNTS[kind] // 4
    assert summary["peak_mib"] < MOST_MEMORY_MIB
