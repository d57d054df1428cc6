"""From a search on a task to a trained network: confirm the best cells, train one, write it.

The best accuracy of a search is partly luck. Therefore the best few cells are trained again with
random seeds that the search has not used (the *confirmation*), and the smallest one within one
standard error of the best is trained on all images except those of the test part.

Each step is resumed where it stopped: runs of the confirmation are in the search's journal, and the
state of the final training is in the search's folder until the result is complete.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pyg_nas.errors import MeasureError, ModelError, SettingsError, check_count
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.registry import missing_network
from pyg_nas.io.files import check_input_folder, check_output_folder
from pyg_nas.io.limits import MOST_EPOCHS, MOST_RUNS
from pyg_nas.io.locks import SignedLock
from pyg_nas.measure.campaigns.campaign import CampaignProgress, measure_cells
from pyg_nas.measure.campaigns.executor import Executor
from pyg_nas.measure.campaigns.journal import Journal
from pyg_nas.measure.tasks.source import read_task
from pyg_nas.measure.trained_network.folder import load_network, read_network_settings, save_network
from pyg_nas.measure.trained_network.results import describe_task, describe_test, pixel_unit
from pyg_nas.search.confirmation import Confirmation
from pyg_nas.search.latency_limit import FINISH_LATENCY, Candidates, LatencyLimit
from pyg_nas.search.search_folder.folder import JOURNAL, TASK
from pyg_nas.search.search_folder.settings import TaskRuns
from pyg_nas.search.search_folder.stored import StoredSearch
from pyg_nas.spaces.measurements import END, METRICS
from pyg_nas.version import __version__

if TYPE_CHECKING:
    from pyg_nas.measure.network import ImageNetwork
    from pyg_nas.measure.tasks.task import Task
    from pyg_nas.search.history import Query

_LOCK = ".finish.lock"
_SEED = 0
_FEWEST_SEEDS = 2
# Of all test images: on another device rounding may move an image over a border.
_ROUNDING = 0.005


class Finish:
    """The steps from a search folder to the folder of a trained network.

    Args:
        folder: Of a search on a task.
        out: The new folder.
        task: Path of the images, if they have moved since the search.
        top: Number of cells in the confirmation.
        seeds: Runs of each of them.
        epochs: Epochs of the final training; by default those of the search's runs.
        metric: Metric of the search, if it has one.

    Raises:
        SettingsError: If ``folder`` is not of a search on a task, no cell of it has been trained,
            its images or settings have changed, ``out`` has other content, or a number is outside
            its rule.
        MeasureError: If the task cannot be read.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        out: str | os.PathLike[str],
        task: str | os.PathLike[str] | None = None,
        top: int = 5,
        seeds: int = 5,
        epochs: int | None = None,
        metric: str | None = None,
    ) -> None:
        check_count("top", top)
        if seeds < _FEWEST_SEEDS:
            raise SettingsError(
                f"seeds must be at least {_FEWEST_SEEDS}, as a standard error is computed from "
                f"them, got {seeds}"
            )
        if seeds > MOST_RUNS:
            raise SettingsError(f"seeds must be at most {MOST_RUNS:,}, got {seeds}")
        if epochs is not None:
            check_count("epochs", epochs, MOST_EPOCHS)
        self.folder, self.out = Path(folder), Path(out)
        check_input_folder(self.folder)
        search = StoredSearch.read(self.folder)
        self.space = search.space
        trained = _task_runs(search)
        if self.space.support.network is None:
            raise SettingsError(f"{self.folder}: {missing_network(self.space)}")
        self.budget = trained.budget
        limit = search.result.constraints.max_latency
        self.limit = None if limit is None else LatencyLimit.read(self.folder, limit)
        self.top = top
        self.seeds = tuple(range(trained.seeds, trained.seeds + seeds))
        self.epochs = epochs or self.budget
        self.ranked = CellArray.from_cells([query.cell for query in _best(search)], self.space)
        self.request = {
            "task_sha256": trained.task_sha256,
            "budget": self.budget,
            "seeds": list(self.seeds),
            "epochs": self.epochs,
            "cells": [cell.hash for cell in self.ranked[:top]],
        }
        self.is_done = self._check_out()
        if not self.is_done:
            check_output_folder(self.folder)  # its journal gets the runs
            self.task = _read_task(self.folder, trained, task, metric)

    def _check_out(self) -> bool:
        """Whether the result exists already."""
        check_output_folder(self.out)
        if not self.out.exists() or not any(self.out.iterdir()):
            return False
        try:
            found = read_network_settings(self.out)["about"]["request"]
        except (ModelError, KeyError, TypeError):
            raise SettingsError(
                f"{self.out}: is not empty and has no network of this search; choose another folder"
            ) from None
        if found != self.request:
            raise SettingsError(
                f"{self.out}: has a network of another search or of other options; choose another "
                f"folder"
            )
        return True

    def locked(self) -> AbstractContextManager[None]:
        """Return a lock of the search against other processes that finish it.

        Raises:
            SettingsError: On entering, if another process is finishing it.
        """
        return SignedLock(
            self.folder / _LOCK, f"{self.folder}: another process is finishing it"
        ).held()

    @cached_property
    def candidates(self) -> Candidates:
        """The best cells of the search, within its limit on latency as measured.

        Raises:
            MeasureError: If no cell is within the limit.
        """
        return Candidates.of(self.ranked, self.top, self.limit, self._untrained)

    def _untrained(self, cell: Cell) -> tuple[Any, Any]:
        import torch

        from pyg_nas.measure.network import build_network

        image = torch.zeros(1, *self.task.train.images.shape[1:])
        return build_network(cell, self.task).eval(), image

    def confirm(
        self,
        executor: Executor | None = None,
        on_progress: Callable[[CampaignProgress], None] | None = None,
    ) -> Confirmation:
        """Train the candidates again, without the runs that the search's journal already has.

        Raises:
            MeasureError: If all tries of a run failed; all other runs are in the journal. Or as
                :attr:`candidates`.
        """
        cells = self.candidates.cells
        with Journal(self.folder / JOURNAL, self.task, self.space) as journal:
            table = measure_cells(
                cells,
                self.task,
                (self.budget,),
                self.seeds,
                journal,
                executor,
                on_progress=on_progress,
            )
        validation, test = (
            table.metrics[:, 0, :, END, METRICS.index(name)].astype(np.float64)
            for name in ("validation_accuracy", "test_accuracy")
        )
        parameters = cells.trainable_parameters(self.task.network_size)
        return Confirmation(cells, parameters, validation, test)

    def train(
        self,
        confirmation: Confirmation,
        executor: Executor | None = None,
        on_step: Callable[[int, int], None] | None = None,
    ) -> ImageNetwork:
        """Train the chosen cell on all images except the test part, or read the finished run.

        Args:
            confirmation: Result of :meth:`confirm`, with the chosen cell.
            executor: Its device and threads are used.
            on_step: Called after each step with the number of steps done and the total.

        Returns:
            The network, on the processor and in evaluation mode.

        Raises:
            MeasureError: If the run failed, so that the network has no finite outputs.
        """
        from pyg_nas.compute.device import pick_device
        from pyg_nas.compute.threads import torch_threads
        from pyg_nas.measure.training.checkpoint import Checkpoint
        from pyg_nas.measure.training.trainer import train_network

        executor = executor or Executor()
        cell = confirmation.chosen_cell
        kept = self._kept(cell)
        with suppress(ModelError):  # it is not trained yet
            return load_network(kept, cell)
        shutil.rmtree(kept, ignore_errors=True)
        task = self.task.for_final_training()
        device = str(pick_device(executor.device))
        checkpoint = Checkpoint(kept.with_suffix(".checkpoint"))
        with torch_threads(executor.threads):
            run, network = train_network(
                cell, task, self.epochs, _SEED, device, on_step, checkpoint
            )
        save_network(kept, network, cell, task, {"test_accuracy": run.end.test_accuracy})
        checkpoint.remove()
        return load_network(kept, cell)

    def write(self, confirmation: Confirmation, network: ImageNetwork) -> dict[str, Any]:
        """Check the network, measure it and write the folder, completely or not at all.

        Returns:
            ``about`` of its ``settings.json``: settings and results of the network.

        Raises:
            MeasureError: If its accuracy differs from that of its training.
            ModelError: If an exported file differs from the network.
        """
        import torch

        from pyg_nas.measure.profiles.latency import measure_latency
        from pyg_nas.measure.trained_network.export import export_network, network_logits

        cell = confirmation.chosen_cell
        task = self.task.for_final_training()
        logits = network_logits(network, task.test.images)
        if not np.isfinite(logits).all():
            raise MeasureError(
                "the last training failed: the network has outputs that are not finite numbers"
            )
        test = describe_test(logits, task)
        recorded = read_network_settings(self._kept(cell))["about"]["test_accuracy"]
        _check_score(test, recorded, task)
        files, onnx_missing = export_network(network, task.test, task.classes)
        latency = self.candidates.latencies.get(cell.hash)
        if latency is None:
            image = torch.zeros(1, *task.test.images.shape[1:])
            latency = measure_latency((network, image), self.limit.device if self.limit else "cpu")
            network.cpu()
        about = {
            "pyg_nas": __version__,
            "request": self.request,
            "task": describe_task(task),
            "confirmation": {
                "budget": self.budget,
                "seeds": list(self.seeds),
                **confirmation.to_dict(),
            },
            "training": {"epochs": self.epochs, "seed": _SEED, "images": len(task.train)},
            "test": test,
            "parameters": int(confirmation.parameters[confirmation.chosen]),
            "macs": int(CellArray.from_cells([cell]).macs(task.network_size)[0]),
            "latency": asdict(latency),
            "latency_limit": None if self.limit is None else self.limit.describe(cell),
            "passed_over": self.candidates.passed_over,
            "onnx_missing": onnx_missing,
        }
        files.update(_texts(about, cell, task))
        save_network(self.out, network, cell, task, about, files)
        return about

    def clean(self) -> None:
        """Remove the files for resuming, after the result is written."""
        for cell in self.ranked:
            shutil.rmtree(self._kept(cell), ignore_errors=True)
            self._kept(cell).with_suffix(".checkpoint").unlink(missing_ok=True)
        (self.folder / FINISH_LATENCY).unlink(missing_ok=True)

    def _kept(self, cell: Cell) -> Path:
        text = json.dumps([self.request, cell.hash], sort_keys=True)
        return self.folder / f"network-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _task_runs(search: StoredSearch) -> TaskRuns:
    """Return how the cells of a search on a task were trained.

    Raises:
        SettingsError: If it is another search.
    """
    kind = str(search.settings.kind)
    if kind != "measure":
        where = {"table": "on a table", "external": "whose cells were trained by the user's code"}
        raise SettingsError(
            f"{search.folder}: is a search {where.get(kind, 'of another kind')}; only a search on "
            f"a task, such as `pyg-nas search photos`, can be finished with a trained network"
        )
    return search.settings.task_runs


def _best(search: StoredSearch) -> list[Query]:
    """Return the queries within the constraints, the most accurate first, then the smallest."""
    search.check_trained()
    result = search.result
    queries = [query for query in result.history if result.constraints.allows(query)]
    if not queries:
        raise SettingsError(f"{search.folder}: no trained cell is within the search's constraints")
    return sorted(queries, key=lambda query: (-query.outcome.accuracy, query.parameters or 0))


def _read_task(
    folder: Path, trained: TaskRuns, images: str | os.PathLike[str] | None, metric: str | None
) -> Task:
    if not (folder / TASK).exists():
        raise SettingsError(
            f"{folder}: {TASK}, which names the images, is missing; run the command of the search "
            f"again to write it"
        )
    # Moved images may be in a folder of another name.
    task = replace(read_task(folder / TASK, images, metric), name=trained.task)
    if task.fingerprint != trained.task_sha256:
        raise SettingsError(
            f"{folder}: the images or the settings of task {task.name!r} have changed since the "
            f"search"
        )
    return task


def _check_score(test: dict[str, Any], recorded: float, task: Task) -> None:
    """Check that a network from a file has the score of its training on the test images."""
    # A change of one image of the smallest class counts most.
    fewest = 1 if task.is_regression else task.num_labels * np.bincount(task.test.labels).min()
    allowed = _ROUNDING if task.is_regression else max(1 / max(1, fewest), _ROUNDING)
    if abs(test["score"] - recorded) > allowed:
        raise MeasureError(
            f"the trained network has {test['score_name']} {test['score']:.4f} on "
            f"{test['images']} test images, the trainer read {recorded:.4f}"
        )


def _texts(about: dict[str, Any], cell: Cell, task: Task) -> dict[str, bytes]:
    """Return the script that uses the network and its model card, by the names of their files."""
    from pyg_nas.measure.trained_network.card import CARD, model_card
    from pyg_nas.measure.trained_network.script import PREDICT, predict_script

    classes = () if task.is_regression else task.classes
    pixels = task.test.images
    of_files = pixels.dtype == np.uint8 and pixels.shape[1] in (1, 3)
    fit = task.settings.image_fit if of_files else None
    script = predict_script(classes, pixels.shape[1:], pixel_unit(task), fit)
    texts = {PREDICT: script, CARD: model_card(about, cell.hash)}
    return {name: text.encode("utf-8") for name, text in texts.items()}
