"""Optuna with a :class:`~pyg_nas.search.ask_tell.Search`, which chooses and stops architectures.

Needs the extra ``optuna``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState

from pyg_nas.errors import SettingsError
from pyg_nas.search.ask_tell import Search
from pyg_nas.search.candidate import Candidate

PARAMETER = "architecture"
"""Name of the parameter whose value is the ``id`` of a candidate."""

_LARGEST_ID = 2**31 - 1


class ArchitectureSampler(BaseSampler):  # type: ignore[misc]
    """Samples the architecture of each trial by a search, and other parameters by another sampler.

    The objective calls :meth:`suggest` for its architecture. Its value is the accuracy, or with
    ``direction="minimize"`` an error; the duration of the trial is the training time. A trial that
    fails or is pruned is a failed training. Trials can run in parallel, in threads and, where the
    search has a folder, in processes. The study stops when no architecture is left.

    Args:
        others: Samples all other parameters; by default at random.
    """

    def __init__(self, search: Search, others: BaseSampler | None = None) -> None:
        self.search = search
        self.others = others or RandomSampler(seed=search.seed)

    def suggest(self, trial: Trial) -> Candidate:
        """Return the architecture of a trial.

        Raises:
            TrialPruned: If no architecture is left.
        """
        number = trial.suggest_int(PARAMETER, 0, _LARGEST_ID)
        candidate = self.search.candidate(number)
        trial.set_user_attr(PARAMETER, candidate.text or candidate.cell.to_dict())
        return candidate

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return the parameters that the other sampler samples together."""
        found: dict[str, BaseDistribution] = self.others.infer_relative_search_space(study, trial)
        return {name: value for name, value in found.items() if name != PARAMETER}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return values of these parameters."""
        values: dict[str, Any] = self.others.sample_relative(study, trial, search_space)
        return values

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Return the ``id`` of a new candidate, or a value of the other sampler.

        Raises:
            SettingsError: If the study has several objectives.
            TrialPruned: If no architecture is left.
        """
        if param_name != PARAMETER:
            return self.others.sample_independent(study, trial, param_name, param_distribution)
        if len(study.directions) != 1:
            raise SettingsError(
                f"a study of architectures has one objective, got {len(study.directions)}"
            )
        candidates = self.search.ask(1, worker=f"optuna {study.study_name}")
        if not candidates:
            with suppress(RuntimeError):  # outside of study.optimize there is nothing to stop
                study.stop()
            raise optuna.TrialPruned("no architecture is left")
        return candidates[0].id

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Prepare the other sampler."""
        self.others.before_trial(study, trial)

    def after_trial(
        self,
        study: Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Record the outcome of a trial in the search.

        The first outcome of an architecture counts: a trial that was enqueued may repeat one.
        """
        self.others.after_trial(study, trial, state, values)
        number = trial.params.get(PARAMETER)
        if number is None or self.search.is_told(number):
            return
        if state != TrialState.COMPLETE or values is None:
            self.search.tell(number, failed=True, reason=state.name.lower())
            return
        accuracy = _accuracy(study, values[0])
        if not math.isfinite(accuracy):  # an exception here would end the study
            self.search.tell(number, failed=True, reason=f"no finite value, got {values[0]}")
            return
        start = trial.datetime_start
        # The clock may have been set back meanwhile.
        spent = None if start is None else max(0.0, (datetime.now() - start).total_seconds())
        self.search.tell(number, accuracy, spent)

    def reseed_rng(self) -> None:
        """Give the other sampler a new random seed; the search shares its own among workers."""
        self.others.reseed_rng()


class ArchitecturePruner(BasePruner):  # type: ignore[misc]
    """Prunes the trials whose architectures the search stops early.

    A step of ``trial.report`` is the number of epochs done, from 1 on.

    Args:
        search: The search of the study's :class:`ArchitectureSampler`.
    """

    def __init__(self, search: Search) -> None:
        self.search = search

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Return whether a trial is to be stopped, see :meth:`~Search.report`.

        A trial that reported no finite number is, as by the pruners of Optuna.
        """
        number, step = trial.params.get(PARAMETER), trial.last_step
        if number is None or step is None:
            return False
        accuracy = _accuracy(study, trial.intermediate_values[step])
        if not math.isfinite(accuracy):
            return True
        return not self.search.report(number, epochs=step, accuracy=accuracy)


def _accuracy(study: Study, value: float) -> float:
    return value if study.direction == StudyDirection.MAXIMIZE else -value
