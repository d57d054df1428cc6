"""What ``settings.json`` of a search has: its keys, their defaults and their earlier forms.

No other module reads these keys. A program that records its own search may write any JSON object;
method, evaluator, space and limits are then found in its nested objects.
"""

from __future__ import annotations

import json
import reprlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pyg_nas.errors import SettingsError, check_count, first_difference, quoted
from pyg_nas.graphs.registry import find_space, space_changes, space_names
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.io.files import write_json
from pyg_nas.io.formats.json_reader import read_object
from pyg_nas.io.limits import MOST_EPOCHS, MOST_RUNS
from pyg_nas.io.text import counted
from pyg_nas.predictors.storage.folder import WEIGHTS
from pyg_nas.search.constraints import LIMITS, Constraints
from pyg_nas.search.goal import Goal

if TYPE_CHECKING:
    from pyg_nas.search.early_stopping import EarlyStopping
    from pyg_nas.search.evaluators.evaluator import Evaluator
    from pyg_nas.search.methods.strategies import Strategy

SETTINGS = "settings.json"
RECIPE = "recipe "
"""Begins the description of a predictor that a recipe makes."""

_DEEPEST = 8
_LABEL_WORDS = {"score", "unit"}
_OPTIONS = {"budget": "trained in all", "max_seconds": "max_training_time"}
_EVALUATOR_NAMES = {
    "cells": "number of candidates",
    "labels_sha256": "digest of the labels",
    "networks_sha256": "digest of the graphs",
}
_STRATEGY_OPTIONS = {"n": "start", "k": "refit", "max_seconds": "max_training_time"}


class TaskRuns(NamedTuple):
    """How a search on a task trains its cells.

    Args:
        budget: Epochs of a run.
        seeds: Runs of each cell.
        task: Name of the task.
        task_sha256: Digest of the images, the name and the training settings.
    """

    budget: int
    seeds: int
    task: str
    task_sha256: str


@dataclass(frozen=True)
class SearchSettings:
    """The settings of a search; it is resumed only under equal ones, or with a larger budget.

    Args:
        content: The JSON object.
        folder: The folder that it was read from; None for settings of a new search.

    Raises:
        SettingsError: If a value is not JSON.
    """

    content: dict[str, Any]
    folder: Path | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        # Through JSON, so that tuples and lists compare as they will be read.
        try:
            text = json.dumps(self.content, allow_nan=False)
        except (TypeError, ValueError) as error:  # of the user's own strategy or evaluator
            raise SettingsError(f"settings of a search must be JSON values: {error}") from None
        object.__setattr__(self, "content", json.loads(text))

    @classmethod
    def of(
        cls,
        strategy: Strategy,
        evaluator: Evaluator,
        constraints: Constraints,
        seed: int,
        target: str | None = None,
        budget: int | None = None,
        early_stopping: EarlyStopping | None = None,
    ) -> SearchSettings:
        """Return the settings of a new search.

        Args:
            target: Name of the table or task; None for training code outside of this package.
            budget: Most cells to train; None for no limit.
        """
        content = {
            "method": strategy.name,
            "target": target,
            "space": evaluator.domain.space.to_dict(),
            "strategy_settings": strategy.describe(),
            "evaluator": {**evaluator.goal.to_dict(), **evaluator.describe()},
            "budget": budget,
            "seed": seed,
            **asdict(constraints),
        }
        if early_stopping is not None:
            content["early_stopping"] = early_stopping.describe()
        return cls(content)

    @classmethod
    def read(cls, folder: Path) -> SearchSettings:
        """Read the settings of a search's folder.

        Raises:
            SettingsError: If it is no folder of a search, or its settings are no JSON object.
        """
        check_no_model(folder)
        if not (folder / SETTINGS).exists():
            raise SettingsError(f"{folder}: is not the folder of a search, it has no {SETTINGS}")
        return cls(read_object(folder / SETTINGS), folder)

    def write(self, folder: Path) -> None:
        """Write the file."""
        write_json(folder / SETTINGS, self.content)

    def check_resumes(self, stored: SearchSettings) -> None:
        """Check that a search with these settings may resume a stored one.

        Raises:
            SettingsError: If they differ in more than a larger budget.
        """
        for key in sorted(stored.content.keys() | self.content.keys()):
            before, asked = stored.content.get(key), self.content.get(key)
            if key == "evaluator":
                before, asked = _without_words(before), _without_words(asked)
            if key == "budget" and type(before) is int and type(asked) is int and before <= asked:
                continue
            if before == asked:
                continue
            if key == "space" and isinstance(before, dict) and isinstance(asked, dict):
                raise SettingsError(
                    f"{stored.folder}: contains a search of another space: "
                    f"{space_changes(before, asked)}; choose another folder or the same space"
                )
            larger = " or more architectures" if key == "budget" else ""
            name, before, asked = first_difference(key, before, asked)
            raise SettingsError(
                f"{stored.folder}: contains a search with {shown_name(name)} = "
                f"{reprlib.repr(before)}, "
                f"{reprlib.repr(asked)} was requested; choose another folder or the same "
                f"settings{larger}"
            )

    @property
    def strategy(self) -> dict[str, Any]:
        """The strategy's settings; empty in the files of other programs."""
        return _object(self.content.get("strategy_settings"))

    @property
    def evaluator(self) -> dict[str, Any]:
        """The evaluator's settings; empty if they are not known."""
        return _object(self.content.get("evaluator"))

    def check_external(self) -> None:
        """Check that the user's code trains the architectures, between ``ask`` and ``tell``.

        Raises:
            SettingsError: If the search itself trains them.
        """
        if self.kind != "external":
            raise SettingsError(
                f"{self.folder}: is the folder of a search that trains the architectures itself, "
                f"as `pyg-nas search` does; ask and tell need another folder"
            )

    @property
    def is_complete(self) -> bool:
        """Whether a command can resume the search by its settings alone."""
        return isinstance(self.content.get("strategy_settings"), dict) and "space" in self.content

    @property
    def method(self) -> str | None:
        """The search method; None if it is not known."""
        return _first_text(nested_values(self.content, "method"))

    @property
    def target(self) -> str | None:
        """Name of the table or task; None for the user's own code."""
        return _first_text([self.content.get("target")])

    @property
    def kind(self) -> str | None:
        """How cells are evaluated: ``table``, ``measure`` or ``external``; None if not known."""
        return _first_text(nested_values(self.content, "evaluator"))

    @property
    def goal(self) -> Goal:
        """What cells are compared by."""
        return Goal.from_dict(self.evaluator)

    @property
    def label(self) -> dict[str, Any]:
        """The policy of the label of a search in a table; empty of another search."""
        return _object(self.evaluator.get("label"))

    @property
    def runs_note(self) -> str:
        """From which runs the number of a cell is, in words; empty where that is not known."""
        seeds = self.evaluator.get("seeds")
        if seeds == 1 or type(self.label.get("run")) is int:
            return "of one training run; more runs would give an interval"
        if type(seeds) is int:
            return f"mean of {counted(seeds, 'run')}"
        return "mean of the measured runs" if self.label.get("run") == "mean" else ""

    @property
    def early_stopping(self) -> dict[str, Any]:
        """Settings of early stopping; empty without it."""
        return _object(self.content.get("early_stopping"))

    @property
    def budget(self) -> int | None:
        """Most cells to train; None for no limit."""
        return self._count("budget", self.content)

    @property
    def seed(self) -> int | None:
        """The random seed."""
        return self._count("seed", self.content)

    @property
    def n(self) -> int | None:
        """Random cells before the first fit; None for a strategy without fits."""
        return self._count("n", self.strategy)

    @property
    def k(self) -> int | None:
        """Cells proposed together; None for a strategy that decides itself."""
        return self._count("k" if "k" in self.strategy else "at_once", self.strategy)

    @property
    def acquisition(self) -> str | None:
        """The acquisition of a predictor search."""
        return _first_text([self.strategy.get("acquisition")])

    @property
    def recipe(self) -> str | None:
        """The recipe of the strategy's predictor; None if it has none or another predictor."""
        predictor = str(self.strategy.get("predictor"))
        return predictor.removeprefix(RECIPE) if predictor.startswith(RECIPE) else None

    @property
    def needs_its_program(self) -> bool:
        """Whether the domain or the predictor were a program's own objects."""
        # A list of networks is no own domain, because the folder stores it.
        evaluator = self.evaluator
        own_domain = evaluator.get("cells") is not None and "networks_sha256" not in evaluator
        return own_domain or ("predictor" in self.strategy and self.recipe is None)

    @property
    def constraints(self) -> Constraints:
        """The constraints on the answer.

        Raises:
            SettingsError: If a limit is invalid.
        """
        known = {name: nested_values(self.content, name) for name in LIMITS}
        return Constraints(
            **{name: next((v for v in vs if v is not None), None) for name, vs in known.items()}
        )

    @property
    def task_runs(self) -> TaskRuns:
        """How a search on a task trains its cells.

        Raises:
            SettingsError: If a number is missing or outside its rule.
        """
        values: list[Any] = [self.evaluator.get(key) for key in TaskRuns._fields]
        runs = TaskRuns(*values)
        types = (int, int, str, str)
        for key, type_ in zip(TaskRuns._fields, types, strict=True):
            if type(getattr(runs, key)) is not type_:
                raise SettingsError(
                    f"{self.folder}: its settings have no valid {key} of the task's runs"
                )
        for key, most in (("budget", MOST_EPOCHS), ("seeds", MOST_RUNS)):
            check_count(f"{self.folder}: {key} of its settings", getattr(runs, key), most)
        return runs

    @property
    def subject(self) -> dict[str, Any]:
        """What is searched, and within which limits: searches are compared if it is equal."""
        others = {key: self.content.get(key) for key in ("space", *LIMITS)}
        return {"evaluator": _without_words(self.content.get("evaluator")), **others}

    @property
    def procedure(self) -> str:
        """How it is searched, as one text: equal in searches that differ in their seed alone."""
        keys = ("method", "strategy_settings", "early_stopping")
        return json.dumps([self.content.get(key) for key in keys], sort_keys=True)

    def space(self, default: SearchSpace | None = None) -> SearchSpace:
        """Return the search space of the cells.

        Args:
            default: The space where the settings do not describe it.

        Raises:
            SettingsError: If it is not known, or its description is invalid.
        """
        named = self.content.get("space")
        if isinstance(named, dict):
            return SearchSpace.from_dict(named)
        if default is not None:
            return default
        for value in nested_values(self.content, "space"):
            if isinstance(value, dict):
                return SearchSpace.from_dict(value)
            if value in space_names():
                return find_space(value)
        raise SettingsError(
            f"{self.folder}: is not the folder of a search whose {SETTINGS} describes the search "
            f"space; for a report, give the table as well"
        )

    def named_as_options(self) -> dict[str, Any]:
        """Return the content with names that a reader of a report understands.

        ``n`` and ``k`` are ``--start`` and ``--refit``. The budget of a search is a number of
        cells, that of its evaluator a number of epochs.
        """
        named = _renamed(self.content, _OPTIONS)
        if self.strategy:
            named["strategy_settings"] = self.strategy_as_options()
        return named

    def strategy_as_options(self) -> dict[str, Any]:
        """Return the settings of the strategy by the names of their options."""
        return _renamed(self.strategy, _STRATEGY_OPTIONS)

    def _count(self, name: str, values: dict[str, Any]) -> int | None:
        value = values.get(name)
        if value is not None and (type(value) is not int or value < 0):
            raise SettingsError(f"{self.folder}: {name} {quoted(value)} is not of a search")
        return value


def shown_name(path: str) -> str:
    """Return how a message names a setting, from its keys in nested objects.

    It is the name of the option, or of what the option chooses.
    """
    group, _, name = path.partition(".")
    if group == "strategy_settings":
        return _STRATEGY_OPTIONS.get(name, name) or "strategy"
    if group == "evaluator":
        return _EVALUATOR_NAMES.get(name, name.replace(".", " ")) or group
    return "architectures in all" if path == "budget" else _OPTIONS.get(path, path)


def check_no_model(folder: Path) -> None:
    """Check that a folder is not of a model, which has settings of its own.

    Raises:
        SettingsError: If it is.
    """
    if (folder / SETTINGS).exists() and (folder / WEIGHTS).exists():
        raise SettingsError(f"{folder}: is a model's folder, not of a search; choose another one")


def nested_values(value: Any, key: str, depth: int = _DEEPEST) -> list[Any]:
    """Return all values of ``key`` in nested objects, outermost first, at most ``depth`` deep."""
    if not isinstance(value, dict) or depth == 0:
        return []
    found = [value[key]] if key in value else []
    for inner in value.values():
        found += nested_values(inner, key, depth - 1)
    return found


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _without_words(evaluator: Any) -> Any:
    """Return an evaluator's settings without the words of its label, which versions changed."""
    if "label" not in _object(evaluator):
        return evaluator
    return {name: value for name, value in evaluator.items() if name not in _LABEL_WORDS}


def _first_text(values: list[Any]) -> str | None:
    return next((value for value in values if isinstance(value, str)), None)


def _renamed(values: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    return {names.get(name, name): value for name, value in values.items()}
