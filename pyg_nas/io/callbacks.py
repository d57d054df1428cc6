"""Callbacks of searches and of predictors' training, and loggers that send numbers to other tools.

``tensorboard:DIR``, ``wandb:PROJECT`` and ``mlflow:URI`` name a logger. Each tool is an extra
of this package.
"""

from __future__ import annotations

import atexit
import math
import warnings
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pyg_nas.errors import SettingsError, needs_extra, quoted
from pyg_nas.io.text import check_text

LOGGERS = ("tensorboard", "wandb", "mlflow")
"""Names of the loggers, of their packages and of the extras."""

Figures = Mapping[str, float]


class Callback:
    """Receives numbers while a predictor is trained or a search runs; by default it does nothing.

    Derive from it and override some methods.
    """

    def on_epoch(self, epoch: int, figures: Figures) -> None:
        """Receive the numbers of an epoch of a training, counted from 1."""

    def on_query(self, index: int, figures: Figures) -> None:
        """Receive the numbers of a query of a search, counted from 0."""

    def on_end(self, figures: Figures) -> None:
        """Receive the numbers of the result; no method is called after this."""


class Logger(Callback):
    """Sends finite numbers to a tool; their names begin with ``epoch``, ``query`` or ``end``.

    The first error of the tool becomes a warning, and nothing more is sent; the work continues.
    """

    _failed = False

    def on_epoch(self, epoch: int, figures: Figures) -> None:
        """Send the figures of an epoch."""
        self._try(self._send, epoch, _named("epoch", figures))

    def on_query(self, index: int, figures: Figures) -> None:
        """Send the figures of a query."""
        self._try(self._send, index, _named("query", figures))

    def on_end(self, figures: Figures) -> None:
        """Send the last figures, and end what the tool has begun."""
        self._try(self._end, _named("end", figures))

    def _try(self, method: Callable[..., None], *arguments: Any) -> None:
        if self._failed:
            return
        try:
            method(*arguments)
        except Exception as error:  # of any tool, after hours of work
            self._failed = True
            kind = type(self).__name__
            warnings.warn(f"{kind} failed, nothing more is logged: {error!r}", stacklevel=3)

    def _send(self, step: int, named: dict[str, float]) -> None:
        raise NotImplementedError

    def _end(self, named: dict[str, float]) -> None:
        raise NotImplementedError


class TensorBoardLogger(Logger):
    """Writes events for TensorBoard into a folder."""

    def __init__(self, folder: str | Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder))

    def _send(self, step: int, named: dict[str, float]) -> None:
        for name, value in named.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def _end(self, named: dict[str, float]) -> None:
        self._send(0, named)
        self._writer.close()


class WandbLogger(Logger):
    """Sends figures to a project of Weights & Biases; ``WANDB_MODE=offline`` keeps them on disk."""

    def __init__(self, project: str) -> None:
        import wandb

        self._run = wandb.init(project=project)

    def _send(self, step: int, named: dict[str, float]) -> None:
        self._run.log(named, step=step)

    def _end(self, named: dict[str, float]) -> None:
        self._run.summary.update(named)
        self._run.finish()


class MlflowLogger(Logger):
    """Sends figures to a run of MLflow, of its default experiment.

    Args:
        uri: Where MLflow tracks runs: a server, or a database such as ``sqlite:///runs.db``; recent
            versions of MLflow refuse folders.
    """

    def __init__(self, uri: str) -> None:
        from mlflow.tracking import MlflowClient

        self._client = MlflowClient(tracking_uri=uri)
        self._run = self._client.create_run(experiment_id="0").info.run_id
        # Or the run of an interrupted command would seem to go on for ever.
        atexit.register(self._kill)

    def _send(self, step: int, named: dict[str, float]) -> None:
        for name, value in named.items():
            self._client.log_metric(self._run, name, value, step=step)

    def _end(self, named: dict[str, float]) -> None:
        self._send(0, named)
        self._client.set_terminated(self._run)
        atexit.unregister(self._kill)

    def _kill(self) -> None:
        self._try(self._client.set_terminated, self._run, "KILLED")


def check_logger(text: str) -> tuple[str, str]:
    """Return the logger and the place that a text such as ``tensorboard:runs`` names.

    Raises:
        SettingsError: If it names none, or the package of the logger is not installed.
    """
    name, _, place = text.partition(":")
    if name not in LOGGERS or not place:
        raise SettingsError(
            f"logger {quoted(text)} must be tensorboard:DIR, wandb:PROJECT or mlflow:URI"
        )
    check_text("logger", text)
    if name == "tensorboard" and Path(place).exists() and not Path(place).is_dir():
        raise SettingsError(f"logger {quoted(text)}: {quoted(place)} is a file, a folder is needed")
    if find_spec(name) is None:
        raise SettingsError(needs_extra(f"logger {name} needs the package {name}", name))
    return name, place


def open_logger(text: str | None) -> Callback:
    """Return the logger of a text; a callback that does nothing for None.

    Raises:
        SettingsError: See :func:`check_logger`; or if the tool cannot start.
    """
    if text is None:
        return Callback()
    name, place = check_logger(text)
    makers: dict[str, Callable[[str], Logger]]
    makers = {"tensorboard": TensorBoardLogger, "wandb": WandbLogger, "mlflow": MlflowLogger}
    try:
        return makers[name](place)
    except Exception as error:  # of any tool
        raise SettingsError(f"logger {quoted(text)}: {name} cannot start: {error}") from None


def _named(group: str, figures: Figures) -> dict[str, float]:
    return {
        f"{group}/{name}": float(value) for name, value in figures.items() if math.isfinite(value)
    }
