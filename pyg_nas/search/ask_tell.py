"""Ask and tell: a search whose architectures are trained by the user's own code.

``ask`` returns architectures to train and ``tell`` takes their accuracies, in any order, from any
number of processes that share the search's folder. :func:`pyg_nas.search.loop.search` is a worker
of the same search that trains on a task or looks up a table.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.compute.device import check_device
from pyg_nas.data.networks.table import NetworkTable
from pyg_nas.data.protocols.labels import LabelPolicy
from pyg_nas.errors import SettingsError, check_count, quoted
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.registry import default_space, open_space
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.io.callbacks import Callback
from pyg_nas.io.limits import MOST_SEED
from pyg_nas.predictors.recipes import NETWORK_RECIPE, resumed_recipe
from pyg_nas.search.candidate import Candidate
from pyg_nas.search.constraints import LIMITS, Constraints, restrict
from pyg_nas.search.domain import Domain, lists_networks
from pyg_nas.search.evaluators.evaluator import Evaluator, ExternalEvaluator
from pyg_nas.search.evaluators.network_list import (
    NETWORKS,
    NetworkListEvaluator,
    NetworkTableEvaluator,
    as_network_table,
    check_list_method,
    stored_networks,
)
from pyg_nas.search.evaluators.table import TableEvaluator
from pyg_nas.search.history import History, Proposal, Query
from pyg_nas.search.methods.by_name import make_strategy
from pyg_nas.search.methods.strategies import Strategy
from pyg_nas.search.outcome import Reference
from pyg_nas.search.result import SearchResult
from pyg_nas.search.search_folder.adoption import adopt_records
from pyg_nas.search.search_folder.folder import SearchFolder
from pyg_nas.search.search_folder.ledger import Ledger, check_number
from pyg_nas.search.search_folder.settings import SETTINGS, SearchSettings

if TYPE_CHECKING:
    from pyg_nas.data.networks.dataset import NetworkDataset

LIVE_LABEL = LabelPolicy(run="mean", resample_below=None)
"""The label policy of an accuracy that the caller reports: the number as it is."""

Counts = Callable[[CellArray], NDArray[np.int64]]


class Search:
    """A search that proposes architectures and learns from the outcomes that ``tell`` records.

    Architectures that are handed out and have no outcome are taken into account: none is proposed
    twice, and a predictor with standard deviations is refitted with its own prediction as the
    accuracy of each (the *kriging believer*), so that it is as certain of them as after a
    measurement. With the acquisition ``mean`` they are only left out.

    The proposals depend on the seed and on the order of the outcomes alone: a search that is
    stopped at any moment and resumed makes the proposals of an uninterrupted one.

    Attributes:
        callback: Receives the figures of each outcome, other than a failure, that this process
            records by ``tell`` or ``report``; for example a logger of
            :func:`~pyg_nas.io.callbacks.open_logger`. Its ``on_end`` is called by the user, who
            alone knows the end.

    Args:
        folder: Folder of the search, created if missing; other processes may open it too. None
            keeps the search in memory.
        space: The search space, its name, or ``file.py:NAME`` of the user's own; by default that
            of the folder's search, or the default space.
        method: One of :data:`~pyg_nas.search.methods.by_name.METHODS` except ``"oracle"``.
        n: Random architectures before the first fit of a predictor.
        k: Architectures proposed after each fit.
        recipe: The predictor, a key of :data:`~pyg_nas.predictors.recipes.RECIPES`; by default
            ``"fast"``.
        acquisition: One of :data:`~pyg_nas.search.methods.acquisition.ACQUISITIONS`.
        seed: Random seed of all choices.
        constraints: The constraints on the answer.
        device: Where predictors are fitted.
        parameters: Function that counts the trainable parameters of the networks of cells,
            ``[N]``; by default those of the space's official networks.
        domain: The cells that may be proposed, by default the whole space.
        networks: The candidates, in place of a space: a list of whole networks
            (:mod:`pyg_nas.search.evaluators.network_list`). The recipe is then one of networks,
            ``"networks"`` by default, and the method ``"predictor"`` or ``"random"``.
        strategy: A strategy object in place of ``method``, ``n``, ``k``, ``recipe`` and
            ``acquisition``.
        evaluator: Trains the architectures, for a worker in this process; by default the
            caller trains them.

    Raises:
        SettingsError: If a setting is invalid, or the folder has a search with other settings.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str] | SearchFolder | None = None,
        space: SearchSpace | str | None = None,
        *,
        method: str = "predictor",
        n: int = 16,
        k: int = 4,
        recipe: str | None = None,
        acquisition: str = "mean",
        seed: int = 0,
        constraints: Constraints | None = None,
        device: str = "auto",
        parameters: Counts | None = None,
        domain: Domain | None = None,
        networks: NetworkTable | NetworkDataset | None = None,
        strategy: Strategy | None = None,
        evaluator: Evaluator | None = None,
    ) -> None:
        check_count("seed", seed, MOST_SEED, least=0)
        check_device(device)
        if networks is not None:
            if evaluator is not None or space is not None or domain is not None:
                raise SettingsError(
                    "networks cannot be given together with a space, a domain or an evaluator"
                )
            check_list_method(method)
            evaluator = NetworkListEvaluator(as_network_table(networks))
        elif evaluator is None:
            if not isinstance(space, SearchSpace):
                space = _space_of(folder) if space is None else open_space(space)
            evaluator = ExternalEvaluator(domain or Domain(space), parameters)
        if recipe is None:
            recipe = "fast" if networks is None else NETWORK_RECIPE
        self.evaluator = evaluator
        self.constraints = constraints or Constraints()
        self.seed = seed
        if strategy is None:
            strategy = make_strategy(
                method,
                evaluator,
                n=n,
                k=k,
                recipe=recipe,
                acquisition=acquisition,
                constraints=self.constraints,
                label=evaluator.label or LIVE_LABEL,
                device=device,
                check=not _is_begun(folder),
            )
        self.strategy = strategy
        if folder is not None and not isinstance(folder, SearchFolder):
            if not _is_begun(folder):  # a space that cannot be listed leaves no folder
                len(evaluator.domain)
            settings = SearchSettings.of(strategy, evaluator, self.constraints, seed)
            folder = SearchFolder(folder, settings, evaluator.domain.space)
        if folder is not None:
            evaluator.save(folder.path)
        self.folder = folder
        self.ledger = Ledger(folder, self.constraints.max_seconds, evaluator.goal)
        self.callback: Callback = Callback()
        self.ledger.on_query = lambda place, query: self.callback.on_query(place, query.figures())
        self.exhausted = False
        self._asking = threading.Lock()

    def __repr__(self) -> str:
        where = "memory" if self.folder is None else quoted(str(self.folder.path))
        return f"Search({where}, {len(self.ledger.pending())} pending, {self._known()!r})"

    def _repr_html_(self) -> str:
        from pyg_nas.io.text import markup

        return f"<div><p>{markup(repr(self))}</p>{self._known()._repr_html_()}</div>"

    def _known(self) -> SearchResult:
        """All outcomes that this process has read or told."""
        return SearchResult(
            self.ledger.snapshot(), self.constraints, self._reference, self.exhausted
        )

    @classmethod
    def open(cls, folder: str | os.PathLike[str], device: str = "auto", **settings: Any) -> Search:
        """Open a folder's search, or begin one where the folder has none.

        Args:
            folder: The folder.
            device: Where predictors are fitted.
            settings: ``space`` or ``networks``, ``method``, ``n``, ``k``, ``recipe``,
                ``acquisition``, ``seed``, ``max_parameters``, ``max_seconds`` and ``max_macs``; by
                default those of the folder.

        Raises:
            SettingsError: If the folder has a search with other settings, or one that was
                created with objects that are no settings.
        """
        if _is_begun(folder):
            stored = SearchFolder.open(folder)
            settings = {**_stored_arguments(stored, settings), **settings}
        limits = {name: settings.pop(name, None) for name in LIMITS}
        return cls(folder, constraints=Constraints(**limits), device=device, **settings)

    @cached_property
    def _reference(self) -> Reference | None:
        """The best architecture within the constraints, where a table has all of them."""
        limits, tables = self.constraints, (TableEvaluator, NetworkTableEvaluator)
        if limits == Constraints() or not isinstance(self.evaluator, tables):
            return self.evaluator.reference
        return self.evaluator.best_within(limits) or self.evaluator.reference

    @cached_property
    def _domain(self) -> Domain:
        return restrict(self.evaluator, self.constraints)

    def ask(
        self, n: int = 1, *, worker: str | None = None, reissue_after: float | None = None
    ) -> list[Candidate]:
        """Return ``n`` architectures to train, fewer where the space has no more.

        Args:
            n: How many.
            worker: Name of the worker that trains them, see :meth:`pending`.
            reissue_after: Architectures that were handed out more than this number of seconds ago
                and have no outcome are handed out again first: their worker may have died. A late
                outcome still counts if it is the first.

        Raises:
            SettingsError: If ``n`` is not positive, or the predictor does not fit the strategy.
        """
        check_count("the number of architectures", n)
        # Proposing can take long. Other processes that ask wait for it, those that tell do not.
        with self._asking, nullcontext() if self.folder is None else self.folder.asking():
            self.ledger.refresh()
            adopt_records(self.ledger, self.strategy.batch, self._proposals, self._add)
            chosen = [] if reissue_after is None else self.ledger.pending(older_than=reissue_after)
            while n - len(chosen) > len(self.ledger.waiting):
                if not self._propose(n - len(chosen) - len(self.ledger.waiting)):
                    break
            chosen = [*chosen, *self.ledger.waiting][:n]
            if chosen:
                self.ledger.hand_out(chosen, worker)
            return chosen

    def candidate(self, number: int) -> Candidate:
        """Return the architecture with this ``id``.

        Raises:
            SettingsError: If there is none, or ``number`` is not a whole number.
        """
        check_number(number)
        self.ledger.refresh()
        if not 0 <= number < len(self.ledger.candidates):
            raise SettingsError(
                f"architecture {number} was never proposed: there are {len(self.ledger.candidates)}"
            )
        return self.ledger.candidates[number]

    def _propose(self, missing: int) -> bool:
        """Let the strategy propose; return whether there was anything left."""
        start = len(self.ledger.candidates)
        # A batch is proposed whole, so that the sequence does not depend on the number asked for.
        size = max(self.strategy.batch(start), missing)
        proposals = self._proposals(self.ledger.snapshot(), size, start)
        self.exhausted = not proposals
        if proposals:
            self._add(proposals)
        return bool(proposals)

    def _proposals(self, history: History, size: int, start: int) -> list[Proposal]:
        rng = np.random.default_rng([self.seed, start])
        return self.strategy.propose(history, size, self._domain, rng)[:size]

    def _add(self, proposals: list[Proposal]) -> None:
        cells = CellArray.from_cells(proposal.cell for proposal in proposals)
        counts = self.evaluator.parameters(cells)
        self.ledger.add(proposals, [None] * len(cells) if counts is None else counts.tolist())

    def tell(
        self,
        number: int,
        accuracy: float | None = None,
        seconds: float | None = None,
        test_accuracy: float | None = None,
        *,
        failed: bool = False,
        reason: str = "",
    ) -> bool:
        """Record how the training of an architecture ended, in any order.

        Args:
            number: Its ``id``.
            accuracy: Its validation accuracy, a fraction, or any other number that is larger for
                better architectures.
            seconds: How long the training took.
            test_accuracy: Its test accuracy, for reports.
            failed: Its training gave no accuracy; it is not asked for again.
            reason: Why it failed.

        Returns:
            Whether this is recorded. The first outcome of an architecture counts; an equal
            one, or that of a second worker, changes nothing.

        Raises:
            SettingsError: If the architecture was not handed out, a number is not finite,
                neither or both of ``accuracy`` and ``failed`` are given, the seconds are negative,
                or missing although training time is limited, or the architecture was handed out
                once and has a different outcome.
        """
        return self.ledger.tell(number, accuracy, seconds, test_accuracy, failed, reason)

    def is_told(self, number: int) -> bool:
        """Return whether an architecture has an outcome, other than a failure.

        Raises:
            SettingsError: If there is none with this ``id``, or it is not a whole number.
        """
        digest = self.candidate(number).cell.hash
        return self.ledger.snapshot().find(digest) is not None

    def report(
        self, number: int, *, epochs: int, accuracy: float, seconds: float | None = None
    ) -> bool:
        """Record the accuracy of a run so far; return whether it should be continued.

        A run is stopped if it is below the best third of all runs that were reported after as many
        epochs, and is expected, from these runs and the predictor, to stay below the best accuracy
        so far (:mod:`pyg_nas.search.early_stopping`). The expected accuracy is then its outcome,
        and :meth:`tell` must not be called for it.

        Args:
            number: Its ``id``.
            epochs: Its epochs so far; reports are compared at equal numbers of epochs.
            accuracy: Its validation accuracy after them, the same metric as for :meth:`tell`.
            seconds: Training time so far.

        Returns:
            True to continue; False to stop, also if another worker has told its outcome. A
            report of no more epochs than the last one changes nothing.

        Raises:
            SettingsError: If the architecture was not handed out, a number is invalid, or
                training time is limited: that of a stopped run is not known.
        """
        return self.ledger.report(number, epochs, accuracy, seconds)

    def pending(self, worker: str | None = None) -> list[Candidate]:
        """Return the architectures that were handed out (to a worker) and have no outcome."""
        self.ledger.refresh()
        return self.ledger.pending(worker)

    @property
    def result(self) -> SearchResult:
        """All outcomes so far; its ``answer`` is the best within the constraints."""
        self.ledger.refresh()
        return self._known()

    @property
    def best(self) -> Query | None:
        """The best architecture so far within the constraints."""
        return self.result.answer


def _stored_arguments(folder: SearchFolder, given: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments with which a search folder was created.

    Args:
        given: Those that the user names again.
    """
    stored = folder.settings
    stored.check_external()
    if stored.needs_its_program:
        raise SettingsError(
            f"{folder.path}: was begun by a program with its own domain or predictor; only that "
            f"program can resume it"
        )
    of_networks = lists_networks(folder.space)
    networks = stored_networks(folder.path) if of_networks else None
    if of_networks and networks is None and given.get("networks") is None:
        raise SettingsError(
            f"{folder.path}: {NETWORKS} is missing: the process that began the search was stopped, "
            f"or has not written it yet; name the networks again"
        )
    recipe = given.get("recipe")
    if stored.recipe is not None:
        recipe = resumed_recipe(stored.recipe, recipe)
    arguments = {
        "networks": networks,
        "space": None if of_networks else folder.space,
        "method": stored.method,
        "n": stored.n,
        "k": stored.k,
        "recipe": recipe,
        "acquisition": stored.acquisition,
        "seed": stored.seed,
        **asdict(stored.constraints),
    }
    return {name: value for name, value in arguments.items() if value is not None}


def _space_of(folder: str | os.PathLike[str] | SearchFolder | None) -> SearchSpace:
    """Return the space of a search that the folder has, or the default space.

    Raises:
        SettingsError: If the folder's search chooses from a list of networks.
    """
    if isinstance(folder, SearchFolder):
        return folder.space
    if folder is None or not _is_begun(folder):
        return default_space()
    space = SearchFolder.open(folder).space
    if lists_networks(space):
        raise SettingsError(
            f"{os.fspath(folder)}: contains a search of a list of networks; give the argument "
            f"`networks`, or open it by Search.open"
        )
    return space


def _is_begun(folder: str | os.PathLike[str] | SearchFolder | None) -> bool:
    return isinstance(folder, (str, os.PathLike)) and (Path(folder) / SETTINGS).exists()
