"""The search methods: each proposes cells from the history alone.

A strategy has no state except cached results. Its proposals depend only on the queries so far and
on a random generator that the search derives from seed and position, so that a stopped search
resumes exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from itertools import islice
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pyg_nas.errors import SettingsError, check_count
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.mutation import Genotype
from pyg_nas.predictors.predictions import checked_mean_and_std, checked_predictions
from pyg_nas.predictors.refit_schedule import cells_of_last_fit
from pyg_nas.search.domain import Domain, named
from pyg_nas.search.history import History, Proposal
from pyg_nas.search.methods.acquisition import LabelMap, check_acquisition, check_std, choose


class Strategy(Protocol):
    """A search method.

    Attributes:
        name: Its name on the command line and in records.
    """

    name: str

    def batch(self, asked: int) -> int:
        """Return how many cells to propose at once after ``asked`` queries."""
        ...

    def propose(
        self, history: History, k: int, domain: Domain, rng: np.random.Generator
    ) -> list[Proposal]:
        """Return up to ``k`` cells of ``domain`` that were not proposed before; none to stop.

        Of more than ``k``, only the first are used. Cells in ``history.pending`` are being
        trained. Equal arguments must give equal cells, so that a stopped search can resume.
        """
        ...

    def describe(self) -> dict[str, Any]:
        """Return JSON-ready settings; a search resumes only under equal ones."""
        ...


class _Together:
    """A strategy that always proposes ``at_once`` cells together."""

    name: str

    def __init__(self, at_once: int = 1) -> None:
        self.at_once = at_once

    def batch(self, asked: int) -> int:
        """Return ``at_once``."""
        return self.at_once

    def describe(self) -> dict[str, Any]:
        """Return the settings."""
        return {"method": self.name, "at_once": self.at_once}


class RandomSearch(_Together):
    """Uniform draws from the cells (not from labelled graphs).

    Args:
        at_once: Cells proposed together, for evaluators that train in parallel.
    """

    name = "random"

    def propose(
        self, history: History, k: int, domain: Domain, rng: np.random.Generator
    ) -> list[Proposal]:
        """Return uniform draws."""
        return _drawn(history, k, domain, rng)


def _drawn(history: History, k: int, domain: Domain, rng: np.random.Generator) -> list[Proposal]:
    return [Proposal(cell) for cell in domain.sample(k, history.asked, rng)]


class RegularizedEvolution:
    """Ageing evolution: mutate the best of a random tournament among the youngest cells.

    The population is the last ``population`` queries: the oldest leaves it, not the worst.
    Source: Real et al., arXiv:1802.01548, with the settings of the NAS-Bench-101 paper,
    arXiv:1902.09635. The first population is drawn uniformly from the cells.

    Args:
        population: Cells in the population.
        tournament: Cells that compete to be the parent.
    """

    name = "evolution"

    def __init__(self, population: int = 100, tournament: int = 10) -> None:
        if not 1 <= tournament <= population:
            raise SettingsError(
                f"tournament must be 1 to the population {population}, got {tournament}"
            )
        self.population = population
        self.tournament = tournament

    def batch(self, asked: int) -> int:
        """Return the number of cells that the first population lacks, and then 1."""
        return max(1, self.population - asked)

    def propose(
        self, history: History, k: int, domain: Domain, rng: np.random.Generator
    ) -> list[Proposal]:
        """Return random cells first, then one mutant."""
        if len(history) < self.population:
            cells = domain.sample(k, history.asked, rng)
            return [Proposal(cell, Genotype.of_cell(cell, rng)) for cell in cells]
        alive = history.last(self.population)
        rivals = rng.choice(len(alive), self.tournament, replace=False)
        gain = history.goal.gain
        winner = alive[max(rivals, key=lambda rival: gain(alive[rival].outcome.accuracy))]
        parent = winner.proposal.genotype
        if parent is None:  # a query of another method
            parent = Genotype.of_cell(winner.cell, rng)
        child = domain.mutant(parent, history.asked, rng)
        if child is None:
            return []
        return [Proposal(child.cell, child, {"parent": winner.cell.hash})]

    def describe(self) -> dict[str, Any]:
        """Return the settings."""
        return {
            "method": self.name,
            "population": self.population,
            "tournament": self.tournament,
        }


class LocalSearch:
    """Hill climbing: train the neighbours in random order and move to the first better one.

    The climb ends in a local optimum, when all neighbours were proposed; the next one starts from
    a uniform draw. Source: White et al., arXiv:2005.02960 (``query until lower``).
    """

    name = "local"

    def batch(self, asked: int) -> int:
        """Return one."""
        return 1

    def propose(
        self, history: History, k: int, domain: Domain, rng: np.random.Generator
    ) -> list[Proposal]:
        """Return a neighbour of the current cell, or a fresh start."""
        centre = _top_of_climb(history)
        if centre is not None:
            left = [c for c in domain.neighbourhood(centre) if c.hash not in history.asked]
            if left:
                step = left[int(rng.integers(len(left)))]
                return [Proposal(step, why={"from": centre.hash})]
        return [Proposal(cell, why={"from": None}) for cell in domain.sample(1, history.asked, rng)]

    def describe(self) -> dict[str, Any]:
        """Return the settings."""
        return {"method": self.name}


def _top_of_climb(history: History) -> Cell | None:
    """The first of the best cells since the last restart: the climb moves only to better cells."""
    best, gain = None, history.goal.gain
    for position in range(len(history) - 1, -1, -1):
        query = history[position]
        if best is None or gain(query.outcome.accuracy) >= gain(best.outcome.accuracy):
            best = query
        if query.proposal.why.get("from") is None:
            break
    return None if best is None else best.cell


class Ranking(_Together):
    """The oracle: trains the cells of a domain in the order of given scores.

    Args:
        scores: One score for each cell of the domain ``[N]``, larger is better.
        at_once: Cells proposed together.
    """

    name = "oracle"

    def __init__(self, scores: NDArray[np.float64], at_once: int = 1) -> None:
        super().__init__(at_once)
        self.scores = scores
        self._order = np.argsort(-scores, kind="stable")

    def propose(
        self, history: History, k: int, domain: Domain, rng: np.random.Generator
    ) -> list[Proposal]:
        """Return the best cells that are left."""
        if len(self.scores) != len(domain):
            raise SettingsError(f"the oracle has {len(self.scores)} scores for {len(domain)} cells")
        return _first_new(
            self._order, k, history, domain, lambda row: {"score": float(self.scores[row])}
        )


def _first_new(
    rows: NDArray[np.int64],
    k: int,
    history: History,
    domain: Domain,
    reason: Callable[[int], dict[str, float]],
) -> list[Proposal]:
    """Return the first ``k`` of these cells of a domain that were not proposed before."""
    new = (row for row in map(int, rows) if domain.hash_at(row) not in history.asked)
    return [Proposal(domain.cells[row], why=reason(row)) for row in islice(new, k)]


def _reason(mean: float, std: float | None, label_at: LabelMap | None) -> dict[str, float]:
    """Return the prediction for a cell, as labels."""
    if std is None:
        return {"predicted": float(mean)}
    if label_at is None:
        return {"predicted": float(mean), "std": float(std)}
    low, middle, high = label_at(np.array([mean - std, mean, mean + std])).tolist()
    return {"predicted": middle, "std": (high - low) / 2}


class PredictorSearch:
    """Train random cells, then cells with the best acquisition values by a predictor, repeatedly.

    One round is *Neural Predictor* (arXiv:1912.00848): ``n`` random cells, then the ``k`` best
    predicted. For further rounds, it is fitted again to all measured cells after every ``k``.
    Where runs have not finished or have failed, it is fitted when half of the first ``n`` are
    measured, and random cells are proposed until then.

    A predictor that has ``update(cells, labels)``, as the recipes ``fast`` and ``best``, is fitted
    when the number of measured cells has grown by a factor of 1.25
    (:mod:`pyg_nas.predictors.refit_schedule`) and updated with the labels since then.

    Args:
        make_predictor: Called with (training cells, seed), returns an unfitted regressor over a
            :class:`CellArray`. Where ``predict(cells, return_std=True)`` works, its attribute
            ``provides_std`` is true.
        n: Random cells to begin with.
        k: Cells trained after each fit.
        acquisition: One of :data:`~pyg_nas.search.methods.acquisition.ACQUISITIONS`.
        max_seconds: Only cells are proposed whose training time is at most this, as predicted by
            :class:`~pyg_nas.predictors.cost.training_time.TimeRegressor` from the trained cells.
            If none of them is left, cells count whose predicted time is longer by no more than the
            usual error of these predictions.
        predictor: Name of the predictor in records.

    Raises:
        SettingsError: If a number is not positive or there is no such acquisition.
    """

    name = "predictor"

    def __init__(
        self,
        make_predictor: Callable[[int, int], Any],
        n: int = 172,
        k: int = 10,
        acquisition: str = "mean",
        max_seconds: float | None = None,
        predictor: str = "regressor",
    ) -> None:
        check_count("n", n)
        check_count("k", k)
        self.make_predictor = make_predictor
        self.n = n
        self.k = k
        self.acquisition = check_acquisition(acquisition)
        self.max_seconds = max_seconds
        self.predictor = predictor
        # The latest fit of a predictor that can be updated, and the cells and labels behind it.
        self._last_fit: tuple[tuple[bytes, bytes], Any] | None = None

    def batch(self, asked: int) -> int:
        """Return the number of cells that the first ``n`` lack, and then ``k``."""
        return self.n - asked if asked < self.n else self.k

    def propose(
        self, history: History, k: int, domain: Domain, rng: np.random.Generator
    ) -> list[Proposal]:
        """Return random cells first, then those with the best acquisition values.

        Raises:
            SettingsError: If the predictor has no standard deviations and the acquisition needs
                them, or it does not predict one finite number for each cell.
        """
        if len(history.asked) < self.n or 2 * len(history) < self.n:
            return _drawn(history, k, domain, rng)
        predictor = self.make_predictor(len(history), int(rng.integers(2**31)))
        if len(history) < getattr(predictor, "least_cells", 1):
            return _drawn(history, k, domain, rng)
        check_std(self.acquisition, predictor, self.predictor)
        predictor = self._fitted(predictor, history)
        mean, std, label_at = self._predicted(predictor, domain.cells)
        fast = self._fast_enough(history, domain)
        gain = history.goal.gain
        # Enough cells that those proposed before can be left out.
        rows = fast[
            choose(
                self.acquisition,
                gain(mean[fast]),
                None if std is None else std[fast],
                k + len(history.asked),
                float(history.gains.max()),
                rng,
                None if label_at is None else lambda gains: gain(label_at(gain(gains))),
            )
        ]
        return _first_new(
            rows,
            k,
            history,
            domain,
            lambda row: _reason(mean[row], None if std is None else std[row], label_at),
        )

    def _fitted(self, predictor: Any, history: History) -> Any:
        """Return a predictor of the measured cells, and where it matters of those in training."""
        cells, labels = history.cells, history.accuracies
        updated = hasattr(predictor, "update")
        if updated:
            predictor = self._updated(cells, labels)
        else:
            predictor.fit(cells, labels)
        if not history.pending or self.acquisition == "mean":
            return predictor
        # Predictions for the cells in training count as measured, so that the predictor is as
        # certain of them as it will be after training.
        waiting = CellArray.from_cells(proposal.cell for proposal in history.pending)
        expected = self._checked(predictor.predict(waiting), waiting)
        if updated:
            predictor.update(waiting, expected)
        else:
            both = CellArray.from_cells([*cells, *waiting])
            predictor.fit(both, np.concatenate([labels, expected]))
        return predictor

    def _predicted(
        self, predictor: Any, cells: CellArray
    ) -> tuple[NDArray[np.float64], NDArray[np.float64] | None, LabelMap | None]:
        """Return means ``[N]``, standard deviations ``[N]``, and the map from both to labels.

        The standard deviations are None where the acquisition needs none, and the map is None
        where the means are labels: accuracies, or other numbers of the search's goal.
        """
        if self.acquisition == "mean":
            return self._checked(predictor.predict(cells), cells), None, None
        latent = hasattr(predictor, "predict_latent")
        both = (
            predictor.predict_latent(cells) if latent else predictor.predict(cells, return_std=True)
        )
        mean, std = checked_mean_and_std(
            both, len(cells), lambda row: named(cells[row]), self.predictor
        )
        return mean, std, predictor.label_at if latent else None

    def _updated(self, cells: CellArray, labels: NDArray[np.float64]) -> Any:
        """Return a predictor of all cells, from the last fit that the schedule has.

        Seed and result follow from cells and labels alone, to the last bit: the labels since the
        fit are added at once, also where proposals were made between them.
        """
        fitted = cells_of_last_fit(self.n, len(cells))
        first, values = cells[:fitted], labels[:fitted]
        key = first.digest, values.tobytes()
        if self._last_fit is None or self._last_fit[0] != key:
            predictor = self.make_predictor(fitted, int.from_bytes(first.digest[:4], "little"))
            predictor.fit(first, values)
            self._last_fit = key, predictor
        predictor = deepcopy(self._last_fit[1])
        if fitted < len(cells):
            predictor.update(cells[fitted:], labels[fitted:])
        return predictor

    def _checked(self, values: Any, cells: CellArray) -> NDArray[np.float64]:
        return checked_predictions(
            values, len(cells), lambda row: named(cells[row]), self.predictor, "mean"
        )

    def _fast_enough(self, history: History, domain: Domain) -> NDArray[np.int64]:
        if self.max_seconds is None:
            return np.arange(len(domain))
        from pyg_nas.predictors.cost.training_time import TimeRegressor

        model = TimeRegressor().fit(history.cells, history.seconds)
        predicted = model.predict(domain.cells)
        fast = np.flatnonzero(predicted <= self.max_seconds)
        if all(domain.hash_at(row) in history.asked for row in fast.tolist()):
            # From few or noisy times the predictions may hardly differ.
            return np.flatnonzero(predicted <= self.max_seconds * model.typical_factor)
        return fast

    def describe(self) -> dict[str, Any]:
        """Return the settings."""
        return {
            "method": self.name,
            "predictor": self.predictor,
            "n": self.n,
            "k": self.k,
            "acquisition": self.acquisition,
            "max_seconds": self.max_seconds,
        }
