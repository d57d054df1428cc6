"""Loggers: TensorBoard's own reader finds the figures; replacements record the others' calls."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from pyg_nas.errors import SettingsError
from pyg_nas.io.callbacks import Logger, check_logger, open_logger


def test_tensorboard_reads_what_was_logged(tmp_path: Path) -> None:
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    logger = open_logger(f"tensorboard:{tmp_path / 'run'}")
    logger.on_epoch(1, {"loss": 0.5, "not known": float("nan")})
    logger.on_epoch(2, {"loss": 0.25})
    logger.on_query(7, {"accuracy": 0.875})
    logger.on_end({"queries": 8})
    found = reader.EventAccumulator(str(tmp_path / "run")).Reload()
    events = {
        tag: [(event.step, event.value) for event in found.Scalars(tag)]
        for tag in found.Tags()["scalars"]
    }
    assert events == {
        "epoch/loss": [(1, 0.5), (2, 0.25)],
        "query/accuracy": [(7, 0.875)],
        "end/queries": [(0, 8.0)],
    }


def stand_in(monkeypatch: pytest.MonkeyPatch, name: str, **content: Any) -> None:
    module = ModuleType(name)
    module.__spec__ = ModuleSpec(name, None)
    vars(module).update(content)
    monkeypatch.setitem(sys.modules, name, module)


def test_wandb_gets_steps_and_a_summary(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    run = SimpleNamespace(
        log=lambda figures, step: seen.append((step, figures)),
        summary={},
        finish=lambda: seen.append("finished"),
    )
    stand_in(monkeypatch, "wandb", init=lambda project: seen.append(project) or run)
    logger = open_logger("wandb:cells")
    logger.on_epoch(1, {"loss": 0.5})
    logger.on_query(0, {"accuracy": 0.75})
    logger.on_end({"queries": 1})
    assert seen == ["cells", (1, {"epoch/loss": 0.5}), (0, {"query/accuracy": 0.75}), "finished"]
    assert run.summary == {"end/queries": 1.0}


def test_mlflow_gets_metrics_of_one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    class Client:
        def __init__(self, tracking_uri: str) -> None:
            seen.append(tracking_uri)

        def create_run(self, experiment_id: str) -> Any:
            return SimpleNamespace(info=SimpleNamespace(run_id="r1"))

        def log_metric(self, run: str, name: str, value: float, step: int) -> None:
            seen.append((run, name, value, step))

        def set_terminated(self, run: str, status: str | None = None) -> None:
            seen.append((run, status))

    stand_in(monkeypatch, "mlflow")
    stand_in(monkeypatch, "mlflow.tracking", MlflowClient=Client)
    logger = open_logger("mlflow:http://127.0.0.1:5000")
    logger.on_query(3, {"accuracy": 0.75})
    logger.on_end({"queries": 4})
    assert seen == [
        "http://127.0.0.1:5000",
        ("r1", "query/accuracy", 0.75, 3),
        ("r1", "end/queries", 4.0, 0),
        ("r1", None),
    ]


INTERRUPTED = """
import sys
from types import ModuleType, SimpleNamespace

class Client:
    def __init__(self, tracking_uri):
        pass

    def create_run(self, experiment_id):
        return SimpleNamespace(info=SimpleNamespace(run_id="r1"))

    def set_terminated(self, run, status=None):
        print(run, status)

tracking = ModuleType("mlflow.tracking")
tracking.MlflowClient = Client
sys.modules["mlflow.tracking"] = tracking
from pyg_nas.io.callbacks import MlflowLogger
logger = MlflowLogger("sqlite:///runs.db")
if sys.argv[1] == "finished":
    logger.on_end({})
else:
    raise KeyboardInterrupt
"""


@pytest.mark.parametrize(("way", "said"), [("finished", "r1 None"), ("interrupted", "r1 KILLED")])
def test_mlflow_does_not_show_an_interrupted_command_as_running(way: str, said: str) -> None:
    command = [sys.executable, "-c", INTERRUPTED, way]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == said
    assert (done.returncode == 0) == (way == "finished")


class Failing(Logger):
    calls = 0

    def _send(self, step: int, named: dict[str, float]) -> None:
        self.calls += 1
        raise OSError("disk full")


def test_a_logger_that_fails_is_a_warning_once() -> None:
    failing = Failing()
    with pytest.warns(UserWarning, match=r"Failing failed, .*disk full"):
        failing.on_query(0, {})
    failing.on_epoch(1, {})
    failing.on_end({})  # which raises NotImplementedError if it is called
    assert failing.calls == 1


@pytest.mark.parametrize("text", ["tensorboard", "tensorboard:", "csv:file", ":", ""])
def test_texts_that_name_no_logger(text: str) -> None:
    with pytest.raises(SettingsError, match="tensorboard:DIR, wandb:PROJECT or mlflow:URI"):
        check_logger(text)


def test_a_folder_whose_name_is_not_text_is_refused_before_it_is_made() -> None:
    with pytest.raises(SettingsError, match="must be UTF-8 text"):
        check_logger(os.fsdecode(b"tensorboard:caf\xe9"))


def test_a_missing_extra_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyg_nas.io.callbacks.find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"pip install '\.\[mlflow\]' in a clone"):
        check_logger("mlflow:runs")


def test_a_tool_that_does_not_begin_is_one_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(project: str) -> None:
        raise RuntimeError("no key")

    stand_in(monkeypatch, "wandb", init=refuse)
    with pytest.raises(SettingsError, match="wandb cannot start: no key"):
        open_logger("wandb:cells")
