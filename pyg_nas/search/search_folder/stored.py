"""Reading searches from their folders, finished or not."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyg_nas.errors import SettingsError
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.io.formats.json_reader import read_object
from pyg_nas.io.limits import LARGEST_FIGURE
from pyg_nas.io.record import checked_value
from pyg_nas.io.text import counted
from pyg_nas.search.domain import thing_in
from pyg_nas.search.outcome import Reference
from pyg_nas.search.result import SearchResult
from pyg_nas.search.search_folder.folder import ANSWER, LATENCY
from pyg_nas.search.search_folder.records import Records
from pyg_nas.search.search_folder.settings import SearchSettings


@dataclass(frozen=True)
class StoredSearch:
    """A search as recorded in its folder.

    Args:
        folder: The folder.
        settings: Its settings.
        space: The search space of its cells.
        result: The search so far.
        finished: Whether it has reached its budget, or no cell was left.
    """

    folder: Path
    settings: SearchSettings
    space: SearchSpace
    result: SearchResult
    finished: bool

    @classmethod
    def read(
        cls, folder: str | os.PathLike[str], default_space: SearchSpace | None = None
    ) -> StoredSearch:
        """Read a folder, in which a search may be at work.

        Args:
            default_space: The space where the settings do not describe it.

        Raises:
            SettingsError: If a file is missing or damaged.
        """
        folder = Path(folder)
        settings = SearchSettings.read(folder)
        space = settings.space(default_space)
        history = Records.read(folder, space, settings.goal).history
        answer = read_object(folder / ANSWER) if (folder / ANSWER).exists() else {}
        # A finished search that is resumed with more rounds still has its previous answer.
        finished = answer.get("queries") == len(history)
        exhausted = finished and answer.get("exhausted") is True
        result = SearchResult(history, settings.constraints, _reference(answer), exhausted)
        return cls(folder, settings, space, result, finished)

    def check_trained(self) -> None:
        """Check that there is an outcome.

        Raises:
            SettingsError: If no cell has been trained yet; it names the failures.
        """
        if not len(self.result.history):
            failed, thing = self.result.failed, thing_in(self.space)
            reasons = f", {counted(failed, thing)} failed: {self.result.failure_reasons}"
            raise SettingsError(
                f"{self.folder}: no {thing} has been trained yet{reasons if failed else ''}"
            )


def stored_latency(folder: Path) -> dict[str, Any] | None:
    """Return the content of ``latency.json``; None if latencies were not limited.

    Raises:
        SettingsError: If the file is damaged.
    """
    path = folder / LATENCY
    if not path.exists():
        return None
    content = read_object(path)
    for name in ("median_error", "error_90", "predicted", "measured"):
        checked_value(float | None, content.get(name), f"{path}: {name}")
    checked_value(dict[str, float], content.get("cells", {}), f"{path}: cells")
    return content


def _reference(answer: dict[str, Any]) -> Reference | None:
    against = answer.get("regret_against")
    if not isinstance(against, dict):
        return None
    best = against.get("best")
    if isinstance(best, bool) or not isinstance(best, (int, float)):
        return None
    if not abs(best) < LARGEST_FIGURE:
        return None
    kind, digest = (str(against.get(key, "accuracy")) for key in ("kind", "hash"))
    return Reference(float(best), kind, digest)
