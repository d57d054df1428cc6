"""Latency of a search's networks: measured for some cells, and predicted for all others."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.model_selection import KFold

from pyg_nas.data.networks.sources import NetworkSource, graph_of_network
from pyg_nas.data.networks.table import NetworkTable
from pyg_nas.data.protocols.direction import SECONDS
from pyg_nas.data.protocols.folds import grouped_folds
from pyg_nas.data.protocols.label_texts import label_unit
from pyg_nas.data.protocols.labels import LabelPolicy
from pyg_nas.data.tables.shipped import SHIPPED, shipped_latencies
from pyg_nas.data.tables.sources import open_any_table
from pyg_nas.errors import MeasureError, SettingsError, listed, quoted
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.io.files import write_json
from pyg_nas.io.text import percent
from pyg_nas.measure.profiles.latency import measure_latency
from pyg_nas.measure.profiles.profile import OnProfiled, profile_networks
from pyg_nas.measure.settings import ProfileSettings
from pyg_nas.predictors.cost.latency import LatencyRegressor
from pyg_nas.predictors.cost.log_labels import LogRegressor
from pyg_nas.predictors.recipes import make_estimator
from pyg_nas.predictors.validation import positive_labels
from pyg_nas.search.domain import Domain
from pyg_nas.search.latency_limit import BuildNetwork
from pyg_nas.search.search_folder.folder import LATENCY

if TYPE_CHECKING:
    from pyg_nas.search.evaluators.evaluator import Evaluator
    from pyg_nas.search.history import Query

MEASURED = 60
"""Random cells whose networks are measured before a search."""
FEWEST = 20
"""Measured networks from which those of all other cells can be predicted."""
GRAPHS = 60
"""Random cells whose latency is predicted by a model of whole networks, from their graphs."""

_TABLE = "latency.hdf5"
_TARGET = "latency"
_FOLDS = 5


@dataclass(frozen=True)
class LatencyModel:
    """Looks up or predicts the latency of cells' networks on one device.

    Args:
        estimator: Fitted to latencies; None if all cells of the search are ``known``.
        device: The device, in words.
        errors: Relative errors of networks that were left out of a fit, ``[n]``: prediction divided
            by measurement, minus one. Empty where not known.
        measured: Networks with a measured latency.
        known: Seconds of cells by module hash, which are not predicted.
        unit: Seconds in one unit of the estimator's predictions.
    """

    estimator: Any
    device: str
    errors: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    measured: int = 0
    known: Mapping[str, float] = field(default_factory=dict)
    unit: float = 1.0

    @classmethod
    def fit(cls, cells: CellArray, seconds: NDArray[np.float64], device: str) -> LatencyModel:
        """Fit to measured latencies ``[N]``.

        Raises:
            SettingsError: If fewer than :data:`FEWEST` cells differ, or a latency is not above 0.
        """
        positive_labels(seconds, len(cells))
        hashes = cells.hashes()
        different = len(np.unique(hashes))
        if different < FEWEST:
            raise SettingsError(
                f"latencies are predicted from at least {FEWEST} measured networks, there are "
                f"{different}"
            )
        estimator = LogRegressor(make_estimator("fast"))
        errors = np.empty(len(cells))
        splitter = KFold(_FOLDS, shuffle=True, random_state=0)
        for train, left_out in grouped_folds(splitter, hashes):
            model = clone(estimator).fit(cells[train], seconds[train])
            errors[left_out] = model.predict(cells[left_out]) / seconds[left_out] - 1
        return cls(estimator.fit(cells, seconds), device, errors, len(cells))

    def __call__(self, cells: CellArray) -> NDArray[np.float64]:
        """Return known or predicted seconds of one pass of one image, ``[N]``."""
        seconds = np.full(len(cells), np.nan)
        if self.known:
            seconds[:] = [self.known.get(digest.decode(), np.nan) for digest in cells.hashes()]
        others = np.flatnonzero(np.isnan(seconds))
        if len(others):
            seconds[others] = self.unit * self.estimator.predict(cells[others])
        return seconds

    def describe(self) -> dict[str, Any]:
        """Return device, measured cells and errors as JSON values."""
        sizes = np.abs(self.errors)
        known = len(sizes) > 0
        return {
            "device": self.device,
            "measured_cells": self.measured,
            "median_error": float(np.median(sizes)) if known else None,
            "error_90": float(np.quantile(sizes, 0.9)) if known else None,
        }


def measured_latencies(
    domain: Domain,
    build: BuildNetwork,
    folder: str | os.PathLike[str],
    settings: ProfileSettings,
    progress: OnProfiled | None = None,
) -> LatencyModel:
    """Measure the networks of :data:`MEASURED` random cells on a device and fit a model to them.

    Measurements are kept in ``folder`` and not repeated.

    Args:
        domain: The cells that a search may propose.
        settings: How networks are measured, and where.

    Raises:
        MeasureError: If too few networks could be measured within the noise that is allowed.
    """
    cells = domain.sample(MEASURED, (), np.random.default_rng(0))
    sources = [NetworkSource(cell.hash, partial(build, cell)) for cell in cells]
    result = profile_networks(sources, Path(folder) / _TABLE, settings, progress)
    seconds = dict(zip(result.table.names, result.table.targets[_TARGET].tolist(), strict=True))
    measured = [cell for cell in cells if np.isfinite(seconds.get(cell.hash, np.nan))]
    if len(measured) < FEWEST:
        raise MeasureError(
            f"{len(measured)} of {len(cells)} networks could be measured with at most "
            f"{percent(settings.most_noise)} of noise, {FEWEST} are needed: the machine must be "
            f"quiet; the same command resumes"
        )
    about = result.table.about
    return LatencyModel.fit(
        CellArray.from_cells(measured),
        np.array([seconds[cell.hash] for cell in measured]),
        f"{about['device']}, {about['processor']}, {about['threads']} thread",
    )


def stored_latencies(
    path: str | os.PathLike[str], domain: Domain, build: BuildNetwork | None = None
) -> LatencyModel:
    """Return latencies from a model folder, or from a table's target ``latency``.

    Cells that the table has are looked up; a model of these predicts the others.
    From a table or model of whole networks, the latencies of :data:`GRAPHS` networks of random
    cells are predicted, and a model of the cells is fitted to these predictions.

    Args:
        path: The folder or file, or :data:`~pyg_nas.data.tables.shipped.SHIPPED` for the table of
            networks of the package.
        domain: The cells that a search may propose.
        build: Builds their networks, which only whole networks need.

    Raises:
        SettingsError: If the table has no such target, or it or the model's label is in a unit of
            something else than time.
        ModelError: If the folder is not of a model.
        TableError: If the file is not a table.
    """
    from pyg_nas.predictors.trained import TrainedPredictor

    about = f"as in {Path(path).name}"
    if Path(path).is_dir():
        trained = TrainedPredictor.load(path)
        estimator, unit = trained.estimator, _seconds_of(trained.unit, path)
        if hasattr(estimator, "space_"):
            return LatencyModel(estimator, about, unit=unit)
        return _from_networks(estimator, domain, build, about, unit)
    shipped = os.fspath(path) == SHIPPED
    table = shipped_latencies() if shipped else open_any_table(path, domain.space)
    if _TARGET not in table.targets:
        raise SettingsError(f"{path}: has no target {_TARGET!r}, it has {listed(table.targets)}")
    rows = np.flatnonzero(np.isfinite(table.targets[_TARGET]))
    unit = _seconds_of(label_unit(table, LabelPolicy(_TARGET)), path)
    seconds = unit * table.targets[_TARGET][rows]
    if isinstance(table, NetworkTable):
        families = None
        if shipped:  # the networks of a search can be of other families
            about = f"{table.about['processor']}, predicted from networks of the shipped table"
            families = [json.loads(table.names[row])["family"] for row in rows]
        estimator = LatencyRegressor().fit(table.networks.select(rows), seconds, families)
        return _from_networks(estimator, domain, build, about)
    known = {
        table.hashes[row].decode(): unit * float(table.targets[_TARGET][row])
        for row in table.rows_of_cells(rows)  # as in a search of the table
    }
    if np.isin(domain.cells.hashes(), table.hashes[rows]).all():
        return LatencyModel(None, about, measured=len(known), known=known)
    return replace(LatencyModel.fit(table.cells[rows], seconds, about), known=known)


def _seconds_of(unit: str, path: str | os.PathLike[str]) -> float:
    """Return the seconds of a unit of time; latencies without one are in seconds."""
    seconds = SECONDS.get(unit or "s")
    if seconds is None:
        raise SettingsError(
            f"{path}: the unit of latencies must be one of {listed(SECONDS)}, got {quoted(unit)}"
        )
    return seconds


def _from_networks(
    estimator: Any, domain: Domain, build: BuildNetwork | None, about: str, unit: float = 1.0
) -> LatencyModel:
    """Return a model of cells that is fitted to an estimator's predictions of their networks.

    Args:
        unit: Seconds in one unit of the predictions.
    """
    if build is None:
        raise SettingsError("latencies of whole networks need the networks of the cells")
    cells = domain.sample(GRAPHS, (), np.random.default_rng(0))
    seconds = unit * estimator.predict([graph_of_network(build(cell)) for cell in cells])
    fitted = LatencyModel.fit(CellArray.from_cells(cells), seconds, about)
    measured = getattr(estimator, "errors_", None)
    if measured is None:
        return LatencyModel(fitted.estimator, about)
    # Errors of the predictions to which cells are fitted, and of this fit.
    errors = np.multiply.outer(1 + measured, 1 + fitted.errors).ravel() - 1
    return LatencyModel(fitted.estimator, about, errors, len(measured))


class LatencyRecord:
    """``latency.json`` in the folder of a search: predictions, errors and measurements.

    It has every trained cell at any time, for reports and `pyg-nas finish` of a search that was
    stopped, and numbers of the answer when the search has ended.

    Args:
        folder: Of the search.
        model: The model that predicts latencies.
        limit: The limit in seconds.
        device: Where the answer's network is measured; None to measure nothing.
    """

    def __init__(
        self, folder: str | os.PathLike[str], model: LatencyModel, limit: float, device: str | None
    ) -> None:
        self.path = Path(folder) / LATENCY
        self.model = model
        self.device = device
        self._content: dict[str, Any] = {
            "limit": limit,
            **model.describe(),
            "measured_on": device,
            **dict.fromkeys(("predicted", "measured", "macs")),
            "cells": {},
        }

    def add(self, queries: Sequence[Query]) -> None:
        """Write the latencies of trained cells."""
        if queries:
            cells = CellArray.from_cells(query.cell for query in queries)
            hashes = [query.cell.hash for query in queries]
            self._content["cells"].update(zip(hashes, self.model(cells).tolist(), strict=True))
        write_json(self.path, self._content)

    def end(self, evaluator: Evaluator, answer: Query | None) -> None:
        """Write the numbers of the answer, whose network the evaluator has."""
        if answer is None:
            return
        cells = CellArray.from_cells([answer.cell])
        counts = evaluator.macs(cells)
        kind = "measured" if answer.cell.hash in self.model.known else "predicted"
        self._content[kind] = float(self.model(cells)[0])
        self._content["macs"] = None if counts is None else int(counts[0])
        if self.device is not None:
            latency = measure_latency(evaluator.network(answer.cell), self.device)
            self._content["measured"] = latency.median
        write_json(self.path, self._content)
