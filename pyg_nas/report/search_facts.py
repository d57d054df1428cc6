"""The facts about a search, for the Markdown report in its folder and for the HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.io.text import counted, percent
from pyg_nas.measure.tasks.objective import score_note
from pyg_nas.metrics.intervals import mean_interval
from pyg_nas.metrics.pareto import pareto_front
from pyg_nas.report.columns import Column, name_column, percent_column
from pyg_nas.report.page import Tile
from pyg_nas.report.text import duration, quantity, rounded
from pyg_nas.search.constraints import Constraints
from pyg_nas.search.domain import identifier
from pyg_nas.search.history import Query
from pyg_nas.search.result import SearchResult
from pyg_nas.visualization.chart_parts import percent_or_value
from pyg_nas.visualization.charts import Chart
from pyg_nas.visualization.prediction_charts import prediction_charts, residual_charts
from pyg_nas.visualization.search_charts import pareto_chart, search_charts

Floats = NDArray[np.float64]

_NAMES_OF_COSTS = {"parameters": ("parameters",), "seconds": ("training time",)}
COST_NAMES = {"parameters": "trainable parameters", "seconds": "training time, s"}
"""Names of the costs of ``answer.json`` in reports."""

_FEWEST_PREDICTIONS = 5
_FEWEST_TRAINED = 2
_LONGEST_TEXT = 200  # of a text form; those of the benchmarks have at most 143 characters


class SearchFacts:
    """The facts about a search, as numbers, texts and charts.

    Args:
        result: The search, of at least one query.
        answer_runs: Accuracies of all measured runs of the answer, for a confidence interval.
        runs_note: From which runs the accuracies of cells are; empty where that is not known.
        latency: Content of ``latency.json`` (:class:`~pyg_nas.search.latency.LatencyRecord`), if
            latency was limited.
    """

    def __init__(
        self,
        result: SearchResult,
        answer_runs: Sequence[float] = (),
        runs_note: str = "",
        latency: Mapping[str, Any] | None = None,
    ) -> None:
        self.goal = result.goal
        self.latency = latency
        self.result = result
        self.thing = result.thing
        self.answer_runs = answer_runs
        self.runs_note = runs_note
        self.queries: list[Query] = list(result.history)
        self.accuracy = result.history.accuracies
        self.seconds = result.history.seconds
        self.stopped = result.stopped
        self.factor, self.unit = percent_or_value(
            self.accuracy, None if self.goal.is_accuracy else False
        )

    @cached_property
    def parameters(self) -> Floats:
        """Trainable parameters of each query, ``[Q]``, NaN where not known."""
        return _floats([query.parameters for query in self.queries])

    @cached_property
    def measured(self) -> Floats:
        """Accuracy of each query at the full budget, ``[Q]``, NaN where it was stopped early."""
        return np.where(self.stopped, np.nan, self.accuracy)

    @cached_property
    def predicted(self) -> Floats:
        """Prediction of each query, ``[Q]``, NaN where there was none."""
        return _floats([query.proposal.predicted for query in self.queries])

    @property
    def costs(self) -> dict[str, Floats]:
        """The costs that are known for any query, ``[Q]`` each, by the keys of COST_NAMES.

        The goal of the search is none of them.
        """
        costs = {"parameters": self.parameters, "seconds": self.seconds}
        return {
            name: cost
            for name, cost in costs.items()
            if np.isfinite(cost).any() and self.goal.name not in _NAMES_OF_COSTS[name]
        }

    @property
    def fronts(self) -> dict[str, NDArray[np.int64]]:
        """The queries on the Pareto front of the goal and each cost, cheapest first."""
        gains = self.goal.gain(self.measured)
        return {name: pareto_front(gains, cost) for name, cost in self.costs.items()}

    @property
    def columns(self) -> list[Column]:
        """The figures of every query."""
        test = _floats([query.outcome.test_accuracy for query in self.queries])
        score, costs, unknown = self.goal.heading, self.costs, np.full(len(test), np.nan)
        position = np.arange(1.0, len(self.queries) + 1)
        names = [identifier(query.cell) for query in self.queries]
        return [
            *([name_column(names)] if self.thing == "network" else []),
            percent_column(score, self.unit, self.factor * self.measured),
            percent_column(f"predicted {score}", self.unit, self.factor * self.predicted),
            percent_column(f"test {score}", self.unit, self.factor * test),
            Column("query", position, lambda value: f"{value:.0f}"),
            Column("parameters", costs.get("parameters", unknown), quantity),
            Column("training time", costs.get("seconds", unknown), duration),
        ]

    @property
    def title(self) -> str:
        """The result in one sentence."""
        if self.result.answer is None:
            return f"No trained {self.thing} satisfies the constraints"
        count = len(self.queries)
        if count == 1:
            return f"The only trained {self.thing}"
        best = "best" if self.goal.larger_is_better else f"lowest {self.goal.name}"
        return f"The {best} of {count:,} trained {self.thing}s"

    def answer(self) -> list[Tile]:
        """Return name, value and note of each figure of the answer."""
        answer = self.result.answer
        if answer is None:
            return []
        outcome = answer.outcome
        value = self.percent(outcome.accuracy)
        if not self.goal.is_validated:
            facts = [Tile(self.goal.name, value)]
        else:
            facts = [Tile(self.goal.name, value, self._interval())]
            test = outcome.test_accuracy
            tested = "not measured" if test is None else self.percent(test)
            facts.append(Tile(f"test {self.goal.score}", tested))
        facts.append(self._regret())
        if answer.parameters is not None:
            facts.append(Tile("trainable parameters", f"{answer.parameters:,}"))
        facts += self._latency(answer)
        if outcome.seconds is not None:
            facts.append(Tile("training time of the answer", duration(outcome.seconds)))
        if self.thing == "network":
            return [Tile("network", identifier(answer.cell)), *facts]
        facts.append(Tile("module hash", answer.cell.hash))
        text = answer.cell.to_text() if answer.cell.space.support.has_text_form else ""
        return [*facts, Tile("text form", text)] if 0 < len(text) <= _LONGEST_TEXT else facts

    def cost(self) -> list[Tile]:
        """Return name, value and note of the costs of the search."""
        facts = [Tile(f"trained {self.thing}s", f"{len(self.queries):,}")]
        facts += self._failed()
        facts += self._saved()
        unknown = int(np.isnan(self.seconds).sum())
        if unknown == len(self.queries):
            facts.append(Tile("training time", "not known"))
        else:
            others = f"{unknown:,} {self.thing}s whose time is not known"
            note = f"not counting {others}" if unknown else ""
            facts.append(Tile("training time", duration(float(self.result.seconds[-1])), note))
        if self.result.exhausted:
            facts.append(Tile("ended early", "yes", f"no {self.thing} was left to propose"))
        return facts

    def _failed(self) -> list[Tile]:
        """Return how many cells have no outcome because their training failed, and why."""
        if not self.result.failed:
            return []
        failed = counted(self.result.failed, self.thing)
        return [Tile("training failed", failed, self.result.failure_reasons)]

    def _saved(self) -> list[Tile]:
        """Return the effect of early stopping, if it was used."""
        if not any(query.outcome.rungs for query in self.queries):
            return []
        count = int(self.stopped.sum())
        stopped = Tile("stopped early", counted(count, self.thing))
        saved = self.result.saved_seconds
        if saved is None:
            note = "the seconds of some run were not recorded"
            return [stopped, Tile("training time saved", "not known", note)]
        whole = saved + float(self.result.seconds[-1])
        share = f"{percent(saved / whole)} of {duration(whole)}"
        note = f"{share} for the full budget of every {self.thing}"
        shown = duration(abs(saved))
        if saved < 0 and shown != duration(0.0):
            shown, note = f"-{shown}", "runs at smaller budgets took longer than stopping saved"
        return [stopped, Tile("training time saved", shown, note)]

    def charts(self) -> list[Chart]:
        """Return the charts for which there are data."""
        charts = self.search_charts()
        # The expected accuracy of a stopped cell is not a measurement.
        predicted = np.where(self.stopped, np.nan, self.predicted)
        if np.isfinite(predicted).sum() >= _FEWEST_PREDICTIONS:
            # Of all queries, so that a dot's row is its query.
            fractions = bool(self.unit)
            charts += prediction_charts(
                self.accuracy,
                predicted,
                self.goal.larger_is_better,
                fractions,
                self.goal.heading,
                self.thing,
            )
            if self.thing == "cell":
                cells = CellArray.from_cells([query.cell for query in self.queries])
                charts += residual_charts(self.accuracy, predicted, cells, fractions=fractions)
        return charts + list(self.pareto_charts().values())

    def search_charts(self) -> list[Chart]:
        """Return accuracy (and regret, where known) by trained cells and by training time.

        One cell has no course: there is no chart.
        """
        if len(self.queries) < _FEWEST_TRAINED:
            return []
        seconds = None if np.isnan(self.seconds).all() else self.result.seconds
        return search_charts(
            self.accuracy,
            self.result.best_accuracy,
            self.result.regret,
            seconds,
            f"the best {self.thing} {self._which}",
            self.goal.heading,
            bool(self.unit),
            self.thing,
            self.goal.larger_is_better,
        )

    @property
    def _which(self) -> str:
        """The cells whose best is the reference of the regret."""
        if self.result.constraints != Constraints():
            return "within the constraints"
        return "of the list" if self.thing == "network" else "of the table"

    def pareto_charts(self) -> dict[str, Chart]:
        """Return accuracy against each cost that is known and not the same for all cells."""
        return {
            name: pareto_chart(
                self.measured,
                cost,
                COST_NAMES[name],
                self.goal.heading,
                bool(self.unit),
                self.thing,
                self.goal.larger_is_better,
            )
            for name, cost in self.costs.items()
            if np.unique(cost[np.isfinite(cost) & ~self.stopped]).size > 1
        }

    def percent(self, value: float, unit: str = " %") -> str:
        """Return an accuracy in percent, and the number of another goal with its unit."""
        if self.unit:
            return f"{self.factor * value:,.2f}{unit}"
        shown = f"{rounded(value)} {self.goal.unit}".rstrip()
        return shown + score_note(self.goal.score, value)

    def _interval(self) -> str:
        if len(self.answer_runs) < 2:
            return self.runs_note
        found = mean_interval(self.answer_runs)
        return (
            f"95 % interval of the mean of {counted(found.n, 'run')}: "
            f"{self.percent(found.low, '')} to {self.percent(found.high)}"
        )

    def _latency(self, answer: Query) -> list[Tile]:
        if self.latency is None:
            return []
        values = dict(self.latency)
        if values.get("predicted") is None and values.get("measured") is None:  # it was stopped
            values["predicted"] = values.get("cells", {}).get(answer.cell.hash)
        found = {
            name: f"{1e3 * value:.3g} ms"
            for name, value in values.items()
            if isinstance(value, float)
        }
        predicted, measured = found.get("predicted", ""), found.get("measured", "")
        note = [f"predicted {predicted}"] if measured and predicted else []
        note += [f"limit {found.get('limit', '')}", f"{self.latency.get('device')}"]
        names = ("median_error", "error_90")
        errors = [error for name in names if isinstance(error := self.latency.get(name), float)]
        measured_networks = self.latency.get("measured_cells")
        if len(errors) == len(names) and isinstance(measured_networks, int):
            note.append(
                f"error of predictions on {measured_networks:,} measured networks: "
                f"median {percent(errors[0], 1)}, 90 % below {percent(errors[1], 1)}"
            )
        name = "latency, measured" if measured else "latency, predicted"
        facts = [Tile(name, measured or predicted, "; ".join(note))]
        if isinstance(macs := self.latency.get("macs"), int):
            facts.append(Tile("MACs", f"{macs:,}"))
        return facts

    def _regret(self) -> Tile:
        reference, regret = self.result.reference, self.result.regret
        if reference is None or regret is None:
            return Tile("simple regret", "not known", f"not all {self.thing}s have been measured")
        if not np.isfinite(regret[-1]):
            return Tile("simple regret", "not known", f"the answer has no {reference.kind}")
        best = f"the best {self.thing} {self._which} has {self.percent(reference.best)}"
        points = self.percent(regret[-1], " points")
        return Tile("simple regret", points, f"of {reference.kind}; {best}")


def _floats(values: Sequence[float | None]) -> Floats:
    return np.array(values, dtype=np.float64)  # None becomes NaN
