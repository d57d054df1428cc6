"""The command line's entry."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

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
