"""The table or task of ``pyg-nas search``, with the options that are for one of the two."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pyg_nas.cli.options import (
    check_label,
    check_settings_file,
    check_split_seed,
    refuse,
    table_label,
)
from pyg_nas.cli.spaces import chosen_space
from pyg_nas.errors import SettingsError

if TYPE_CHECKING:
    from pyg_nas.data.protocols.labels import LabelPolicy
    from pyg_nas.search.evaluators.evaluator import Evaluator

LIVE_BUDGET = 12
"""Epochs of each run on a task, where the user names none."""


@dataclass(frozen=True)
class SearchTarget:
    """What is searched, and the options about it, as the command has them.

    Args:
        name: Path of the table, or name or path of the task.
    """

    name: str
    budget: int | None
    run: str | None
    space: str | None
    settings: Path | None
    image_size: int | None
    metric: str | None
    split_seed: int
    runs: int
    backend: str
    workers: int

    @property
    def is_table(self) -> bool:
        """Whether it is a table or graph file."""
        from pyg_nas.data.tables.sources import GRAPH_FILE_SUFFIX
        from pyg_nas.io.formats.hdf5 import HDF5_SUFFIXES

        return Path(self.name).suffix in (*HDF5_SUFFIXES, GRAPH_FILE_SUFFIX)

    @cached_property
    def of_networks(self) -> bool:
        """Whether it is a table of whole networks."""
        from pyg_nas.data.tables.sources import has_networks

        return self.is_table and has_networks(self.name)

    def check(self, method: str, seeds: int, max_latency: str | None, early_stopping: bool) -> None:
        """Refuse options of a task for a table, and others that it has no use for.

        Raises:
            SettingsError: If one is given.
        """
        if not self.is_table:
            of_table = {"--run": self.run, "--seeds": None if seeds == 1 else seeds}
            refuse(of_table, f"is for tables, got the task {self.name}")
            self._check_task(method)
            return
        of_task = {
            "--settings": self.settings,
            "--image-size": self.image_size,
            "--split-seed": self.split_seed or None,
            "--runs": None if self.runs == 1 else self.runs,
            "--backend": None if self.backend == "sequential" else self.backend,
            "--workers": None if self.workers == 1 else self.workers,
        }
        refuse(of_task, f"is for tasks, got the table {self.name}")
        check_label(self.metric, self.budget, self.run)
        if self.of_networks:
            from pyg_nas.search.evaluators.network_list import check_list_method

            check_list_method(method)
            of_cells = {
                "--max-latency": max_latency,
                "--budget": self.budget,
                "--run": self.run,
                "--space": self.space,
                "--early-stopping": early_stopping or None,
            }
            refuse(of_cells, f"is for cells, {self.name} is a table of networks")

    def _check_task(self, method: str) -> None:
        if chosen_space(self.space).support.network is None:
            raise SettingsError(
                f"cells of the space {self.space!r} have no network that could be trained"
            )
        check_settings_file(self.settings)
        check_split_seed(self.name, self.split_seed)
        if method == "oracle":
            raise SettingsError(f"method 'oracle' needs a table, got the task {self.name}")

    @contextmanager
    def opened(self, out: Path, device: str) -> Iterator[tuple[Evaluator, LabelPolicy]]:
        """Return the evaluator of its cells, and the label that is searched for.

        Args:
            out: Folder of the search, which gets the journal of a task.
            device: Where cells are trained.
        """
        if not self.is_table:
            with self._opened_task(out, device) as opened:
                yield opened
            return
        from pyg_nas.data.networks.table import NetworkTable
        from pyg_nas.data.tables.sources import open_table
        from pyg_nas.search.evaluators.network_list import NetworkTableEvaluator
        from pyg_nas.search.evaluators.table import TableEvaluator

        if self.of_networks:
            networks = NetworkTable.load(self.name)
            label = table_label(networks, self.metric, None, None)
            yield NetworkTableEvaluator(networks, label), label
            return
        table = open_table(Path(self.name), self.space)
        label = table_label(table, self.metric, self.budget, self.run)
        yield TableEvaluator(table, label), label

    @contextmanager
    def _opened_task(self, out: Path, device: str) -> Iterator[tuple[Evaluator, LabelPolicy]]:
        from pyg_nas.data.protocols.labels import LabelPolicy
        from pyg_nas.measure import Executor, Journal, get_task
        from pyg_nas.measure.tasks.source import write_task_source
        from pyg_nas.search.domain import Domain
        from pyg_nas.search.evaluators.live import LiveEvaluator
        from pyg_nas.search.search_folder.folder import JOURNAL, TASK

        budget = LIVE_BUDGET if self.budget is None else self.budget
        path = out / JOURNAL
        task = get_task(
            self.name, self.settings, self.image_size, self.split_seed, path, self.metric
        )
        executor = Executor(backend=self.backend, workers=self.workers, device=device)
        space = chosen_space(self.space)
        with Journal(path, task, space) as journal:
            if space.support.official_network is None:  # networks of the user's own code
                from pyg_nas.measure.trained_network.export import check_exportable

                check_exportable(space, task)  # now, and not when `pyg-nas finish` is run
            # `pyg-nas finish` reads it.
            write_task_source(out / TASK, self.name, task, self.image_size, self.split_seed)
            label = LabelPolicy(budget=budget, run="mean", resample_below=None)
            domain = Domain(space)
            yield LiveEvaluator(task, budget, self.runs, journal, executor, domain), label
