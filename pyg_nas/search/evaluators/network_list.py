"""A list of whole networks as a search space.

A candidate is a cell of one vertex whose operation is the name of a network, so that strategies,
records and folders are those of every search. Predictors receive the graphs of the networks.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyg_nas.data.networks.table import NetworkTable
from pyg_nas.data.protocols.labels import LabelPolicy
from pyg_nas.errors import SettingsError, TableError, first_repeated, quoted
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.io.files import remove_abandoned
from pyg_nas.io.text import counted
from pyg_nas.search.constraints import Constraints, best_within
from pyg_nas.search.domain import LISTED, Domain
from pyg_nas.search.evaluators.evaluator import ExternalEvaluator
from pyg_nas.search.goal import Goal
from pyg_nas.search.outcome import Outcome, Reference
from pyg_nas.spaces.modules.network_array import NetworkArray

if TYPE_CHECKING:
    from pyg_nas.data.networks.dataset import NetworkDataset

NETWORKS = "networks.hdf5"
"""The candidates, in the folder of a search."""

LIST_METHODS = ("predictor", "random", "oracle")
"""Methods that need no graphs to move among; the oracle needs a table."""


class NetworkListEvaluator(ExternalEvaluator):
    """Placeholder for the user's code, which evaluates networks of a list.

    Networks with equal graphs are one candidate, the first of them.

    Raises:
        SettingsError: If two different networks have one name, or there is none.

    Warns:
        UserWarning: If networks have equal graphs.
    """

    def __init__(self, networks: NetworkTable) -> None:
        _, first, graph = np.unique(networks.hashes, return_index=True, return_inverse=True)
        self.listed = networks
        if len(first) < len(networks):
            left_out = np.setdiff1d(np.arange(len(networks)), first)
            names = [networks.names[row] for row in (left_out[0], first[graph[left_out[0]]])]
            warnings.warn(
                f"{len(left_out):,} of {counted(len(networks), 'network')} have the graph of an "
                f"earlier one and are no candidates; the first is {quoted(names[0])}, with the "
                f"graph of {quoted(names[1])}. Graphs have no dropout, and no numbers of constant "
                f"tensors",
                stacklevel=2,
            )
            self.listed = networks.subset(np.sort(first))
        cells = listed_cells(self.listed.names)
        super().__init__(Domain(cells.space, cells), None)

    def rows(self, cells: CellArray) -> NDArray[np.int64]:
        """Return the rows of candidates in the list, ``[N]``."""
        return cells.operations[:, 0].astype(np.int64)

    def parameters(self, cells: CellArray) -> NDArray[np.int64]:
        """Return the parameters of the networks, ``[N]``."""
        counts: NDArray[np.int64] = self.listed.networks.parameters[self.rows(cells)]
        return counts

    def macs(self, cells: CellArray) -> NDArray[np.int64]:
        """Return the MACs of the networks for their example inputs, ``[N]``."""
        counts: NDArray[np.int64] = self.listed.networks.macs[self.rows(cells)]
        return counts

    def save(self, folder: Path) -> None:
        """Write the candidates to a search's folder, unless it has them already.

        Raises:
            SettingsError: If the folder has other networks.
        """
        stored = stored_networks(folder)
        if stored is None:
            self.listed.save(folder / NETWORKS)
            return
        remove_abandoned(folder / NETWORKS)  # of a process that was killed as it began the search
        if (stored.names, stored.hashes.tolist()) != (
            self.listed.names,
            self.listed.hashes.tolist(),
        ):
            raise SettingsError(
                f"{folder / NETWORKS}: has other networks than this search; choose another folder"
            )

    def predictor(self, estimator: Any) -> ListedRegressor:
        """Return an estimator of candidates from one of networks."""
        return ListedRegressor(estimator, self)

    def describe(self) -> dict[str, Any]:
        """Return the kind of evaluator, the number of candidates and a digest of their graphs."""
        from hashlib import sha256

        digest = sha256(self.listed.hashes.tobytes()).hexdigest()
        return {"evaluator": "external", "cells": len(self.listed), "networks_sha256": digest}


class NetworkTableEvaluator(NetworkListEvaluator):
    """Looks up the networks of a table that have a label.

    Args:
        table: The measured networks.
        label: The label that the search maximises, or minimises if it is a cost; by default that
            of the table.

    Raises:
        SettingsError: If the table lacks the label.
        TableError: If no network has it.
    """

    def __init__(self, table: NetworkTable, label: LabelPolicy | None = None) -> None:
        self.label = label or table.default_label
        self.goal = Goal.of_label(table, self.label)
        labelled = np.flatnonzero(~np.isnan(table.label(self.label)))
        if not len(labelled):
            raise TableError(f"{table.source}: no network has the label {self.label.metric!r}")
        super().__init__(table.subset(labelled))
        self.labels = self.listed.label(self.label)
        self.reference = self.best_within(Constraints())

    def evaluate(self, cell: Cell, budget: int | None = None) -> Outcome:
        """Return the table's label of a network."""
        value = float(self.labels[self.rows(CellArray.from_cells([cell]))[0]])
        return Outcome(value, true_accuracy=value)

    def best_within(self, limits: Constraints) -> Reference | None:
        """Return the best of the networks within the limits; None if there is none.

        Training times and latencies are not known: a limit on them excludes no network.
        """
        return best_within(self, limits, self.labels, self.goal.name)

    def oracle(self) -> NDArray[np.float64]:
        """Return the label of each network ``[N]``, negated if it is a cost."""
        return self.goal.gain(self.labels)

    def describe(self) -> dict[str, Any]:
        """Return the label, the number of networks and digests of graphs and labels."""
        from hashlib import sha256

        return {
            **super().describe(),
            "evaluator": "table",
            "score": self.goal.name,
            "labels_sha256": sha256(self.labels.tobytes()).hexdigest(),
        }


class ListedRegressor:
    """An estimator of candidates that passes their graphs to an estimator of networks.

    Args:
        estimator: Unfitted, such as :class:`~pyg_nas.predictors.NetworkRegressor`.
    """

    def __init__(self, estimator: Any, listed: NetworkListEvaluator) -> None:
        self.estimator = estimator
        self.listed = listed
        self.least_cells = getattr(estimator, "least_cells", 1)

    @property
    def provides_std(self) -> bool:
        """Whether ``predict`` can return standard deviations."""
        return bool(getattr(self.estimator, "provides_std", False))

    def fit(self, cells: CellArray, y: ArrayLike) -> ListedRegressor:
        """Fit to candidates and labels ``[N]``."""
        self.estimator.fit(self._networks(cells), y)
        return self

    def predict(self, cells: CellArray, return_std: bool = False) -> Any:
        """Return predictions ``[N]``, and standard deviations where asked for."""
        networks = self._networks(cells)
        if return_std:
            return self.estimator.predict(networks, return_std=True)
        return self.estimator.predict(networks)

    def _networks(self, cells: CellArray) -> NetworkArray:
        return self.listed.listed.networks.select(self.listed.rows(cells))


def listed_cells(names: Sequence[str]) -> CellArray:
    """Return networks as cells of one vertex, whose operation is the name.

    Raises:
        SettingsError: If a name appears twice, or there is none.
    """
    if not names:
        raise SettingsError("there is no network to choose from, at least one is needed")
    if repeated := first_repeated(names):
        name, *rows = repeated
        raise SettingsError(
            f"names of networks to choose from must differ, {quoted(name)} is that of rows "
            f"{rows[0]} and {rows[1]}, counted from 0"
        )
    space = SearchSpace(LISTED, tuple(names), max_vertices=1, max_edges=0)
    return CellArray(
        np.zeros((len(names), 1, 1), np.int8),
        np.arange(len(names))[:, None].astype(space.id_type),
        np.ones(len(names), space.size_type),
        space,
    )


def as_network_table(networks: NetworkTable | NetworkDataset) -> NetworkTable:
    """Return candidates as a table.

    Raises:
        SettingsError: If they are neither a table nor a dataset.
    """
    if isinstance(networks, NetworkTable):
        return networks
    if not hasattr(networks, "networks") or not hasattr(networks, "names"):
        raise SettingsError(
            f"networks must be a NetworkTable or a NetworkDataset, got {type(networks).__name__}; "
            f"NetworkDataset(folder, networks) reads modules, graphs and ONNX files"
        )
    return NetworkTable(networks.networks, networks.names)


def stored_networks(folder: str | os.PathLike[str]) -> NetworkTable | None:
    """Return the candidates of a search's folder; None if it is not of networks."""
    path = Path(folder) / NETWORKS
    return NetworkTable.load(path) if path.exists() else None


def check_list_method(method: str) -> None:
    """Check that a method can search a list.

    Raises:
        SettingsError: If it moves along edges of graphs.
    """
    if method not in LIST_METHODS:
        raise SettingsError(
            f"method {method!r} cannot search a list of networks, {', '.join(LIST_METHODS)} can"
        )
