"""Ray Tune with a :class:`~pyg_nas.search.ask_tell.Search`, which chooses and stops architectures.

Needs the extra ``ray``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ray.tune.schedulers import FIFOScheduler
from ray.tune.search import Searcher

from pyg_nas.errors import SettingsError
from pyg_nas.io.files import write_json
from pyg_nas.io.formats.json_reader import read_object
from pyg_nas.search.ask_tell import Search

KEY = "architecture"
"""Key of a trial's config: the candidate as :meth:`~pyg_nas.search.candidate.Candidate.to_dict`."""


class ArchitectureSearcher(Searcher):  # type: ignore[misc]
    """Suggests architectures by a search, and records the outcome of every trial in it.

    Each trial's config is ``{"architecture": {...}}``, from which
    :meth:`Cell.from_dict <pyg_nas.graphs.cell.Cell.from_dict>` makes the cell. The total time of a
    trial is the training time, and a trial that ends with an error or without a finite accuracy is
    a failed training.

    Args:
        search: The search. With a folder, another process can resume it.
        metric: Name of the reported accuracy.
        mode: ``"max"``, or ``"min"`` where the metric is an error.

    Raises:
        SettingsError: If ``mode`` is another text.
    """

    def __init__(self, search: Search, metric: str = "accuracy", mode: str = "max") -> None:
        if mode not in ("max", "min"):
            raise SettingsError(f"mode must be 'max' or 'min', got {mode!r}")
        super().__init__(metric=metric, mode=mode)
        self.search = search
        self._name = metric
        self._sign = 1.0 if mode == "max" else -1.0
        self._numbers: dict[str, int] = {}

    def suggest(self, trial_id: str) -> Any:
        """Return the config of a trial, or that the search has finished."""
        candidates = self.search.ask(1, worker=trial_id)
        if not candidates:
            return Searcher.FINISHED
        self._numbers[trial_id] = candidates[0].id
        return {KEY: candidates[0].to_dict()}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Record how a trial ended.

        The first outcome counts: a restored run repeats trials of which Ray has lost the end.
        """
        number = self._numbers.pop(trial_id, None)
        if number is None or self.search.is_told(number):
            return
        value = (result or {}).get(self._name)
        if error or value is None or not math.isfinite(value):
            # An exception here would end the trials of all other architectures.
            reason = f"no finite {self._name}, got {value}"
            self.search.tell(number, failed=True, reason="error" if error else reason)
            return
        self.search.tell(number, self._sign * value, (result or {}).get("time_total_s"))

    def continues(self, trial_id: str, epochs: int, result: dict[str, Any]) -> bool:
        """Report a trial's accuracy; return whether it is continued (:meth:`Search.report`).

        A trial whose architecture is not of this searcher, or without the metric, is continued;
        one whose metric is not finite is stopped.
        """
        number, value = self._numbers.get(trial_id), result.get(self._name)
        if number is None or value is None:
            return True
        if not math.isfinite(value):
            return False
        seconds = result.get("time_total_s")
        return self.search.report(
            number, epochs=epochs, accuracy=self._sign * value, seconds=seconds
        )

    def __getstate__(self) -> dict[str, Any]:
        """Return what Ray stores of a run: the search's folder in place of the search."""
        folder, named = self.search.folder, {}
        if folder is not None:
            recipe = folder.settings.recipe
            # Ray pickles this state, so that it may name the user's code that is imported again.
            named = {} if recipe is None else {"recipe": recipe}
        path = None if folder is None else str(folder.path)
        return {**self.__dict__, "search": path, "_named": named}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Open the search's folder again.

        Raises:
            SettingsError: If the search had no folder, or was not begun by its settings alone.
        """
        self.__dict__.update(state)
        if state["search"] is None:
            raise SettingsError("a search without a folder cannot be restored")
        self.search = Search.open(state["search"], **self.__dict__.pop("_named"))

    def save(self, checkpoint_path: str) -> None:
        """Write the candidate of each trial; all else is in the folder of the search."""
        write_json(checkpoint_path, self._numbers)

    def restore(self, checkpoint_path: str) -> None:
        """Read what :meth:`save` wrote."""
        self._numbers = read_object(Path(checkpoint_path))


class ArchitectureScheduler(FIFOScheduler):  # type: ignore[misc]
    """Stops the trials whose architectures the search stops early.

    Args:
        searcher: The searcher that chooses the architectures.
        epochs: Epochs after which trials are compared: few numbers, such as a ninth and a third
            of all.
        time_attr: Name of the reported number of epochs done.

    Raises:
        SettingsError: If ``epochs`` has no number, or one below 1.
    """

    def __init__(
        self,
        searcher: ArchitectureSearcher,
        epochs: Iterable[int],
        time_attr: str = "training_iteration",
    ) -> None:
        super().__init__()
        self.searcher = searcher
        self.epochs = frozenset(epochs)
        self._time = time_attr
        if not self.epochs or min(self.epochs) < 1:
            raise SettingsError(
                f"epochs must be numbers from 1 on, one at least, got {sorted(self.epochs)}"
            )

    def set_search_properties(self, metric: str | None, mode: str | None, **spec: Any) -> bool:
        """Accept the metric of the run: the searcher has it too."""
        return True

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Return whether a trial is continued or stopped."""
        epochs = result.get(self._time)
        if epochs not in self.epochs or self.searcher.continues(trial.trial_id, epochs, result):
            return str(self.CONTINUE)
        return str(self.STOP)
