"""Commands that a signal ends: one line, an exit code for it, and no run of MLflow left open."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyg_nas.cli import app
from pyg_nas.cli.console import resumable
from pyg_nas.cli.signals import Stopped, exit_code, stopped_by_signals
from tests.cli.command import pyg_nas

SIGNALS = pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
STOPS = pytest.mark.parametrize(
    ("name", "line"),
    [("SIGTERM", "stopped by SIGTERM"), ("SIGHUP", "stopped by SIGHUP"), ("SIGINT", "stopped")],
)


@pytest.fixture(autouse=True)
def default_handlers() -> Iterator[None]:
    numbers = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    before = {number: signal.getsignal(number) for number in numbers}
    for number in before:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background ignores it
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@SIGNALS
def test_a_signal_is_raised_once_and_the_next_one_ends_the_process(name: str) -> None:
    number = getattr(signal, name)
    stop: KeyboardInterrupt = KeyboardInterrupt()
    with stopped_by_signals():
        try:
            os.kill(os.getpid(), number)
        except Stopped as raised:
            stop = raised
        assert signal.getsignal(number) is signal.SIG_DFL
    assert str(stop) == f"stopped by {name}"
    assert exit_code(stop) == 128 + number
    assert exit_code(KeyboardInterrupt()) == 130
    assert signal.getsignal(number) is signal.SIG_DFL


def test_an_ignored_signal_stays_ignored() -> None:
    """As under ``nohup``."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with stopped_by_signals():
        os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


@STOPS
@pytest.mark.parametrize("resumes", [True, False])
def test_a_command_ends_with_one_line(
    name: str,
    line: str,
    resumes: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    number = getattr(signal, name)

    def report(folder: str) -> None:
        if resumes:
            with resumable(folder):
                os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)

    (command,) = (each for each in app.app.registered_commands if each.callback is app.report)
    monkeypatch.setattr(command, "callback", report)
    assert pyg_nas("report", "its folder") == 128 + number
    found = capsys.readouterr()
    if resumes:
        lines = ("stopped; the same command resumes from its folder\n", "")
    else:
        lines = ("", f"{line}\n")
    assert (found.out, found.err) == lines


SEARCH = """
import sys
from types import ModuleType, SimpleNamespace

class Client:
    def __init__(self, tracking_uri):
        pass

    def create_run(self, experiment_id):
        return SimpleNamespace(info=SimpleNamespace(run_id="r1"))

    def log_metric(self, run, name, value, step):
        print("logged", file=sys.stderr, flush=True)

    def set_terminated(self, run, status=None):
        print(run, status)

tracking = ModuleType("mlflow.tracking")
tracking.MlflowClient = Client
package = ModuleType("mlflow")
package.__spec__ = SimpleNamespace()
sys.modules.update({"mlflow": package, "mlflow.tracking": tracking})
from pyg_nas.cli.app import main
main()
"""


def test_a_search_that_slurm_ends_closes_its_run_of_mlflow(tmp_path: Path) -> None:
    command = [
        sys.executable, "-c", SEARCH, "search", "digits", "--out", str(tmp_path / "search"),
        "--method", "random", "--budget", "1", "--rounds", "99", "--device", "cpu",
        "--log", "mlflow:sqlite:///runs.db",
    ]  # fmt: skip
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    assert process.stderr.readline() == "logged\n"  # the first query
    process.send_signal(signal.SIGTERM)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "Traceback" not in errors
    assert out == f"stopped; the same command resumes from {tmp_path / 'search'}\nr1 KILLED\n"
    assert (tmp_path / "search" / "queries.jsonl").read_text().endswith("\n")
