"""A trained predictor and its protocol: train, evaluate, save, load."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.data.protocols.label_texts import label_unit
from pyg_nas.data.protocols.labels import LabelPolicy
from pyg_nas.data.protocols.protocol import Protocol
from pyg_nas.data.tables.sources import AnyTable
from pyg_nas.data.tables.table import Table
from pyg_nas.graphs.cell_network import NetworkSize
from pyg_nas.io.callbacks import Callback
from pyg_nas.predictors.evaluation import ComparedRows, Evaluation, compared_rows, has_fractions
from pyg_nas.predictors.predictions import checked_predictions
from pyg_nas.predictors.recipes import DEFAULT_RECIPE, make_estimator
from pyg_nas.predictors.storage.folder import load_described, save_model
from pyg_nas.predictors.storage.header import ModelHeader, WithProtocol


@dataclass
class TrainedPredictor(WithProtocol):
    """A fitted estimator, its recipe and protocol, and the hashes of its training cells.

    Args:
        estimator: A fitted regressor over cells.
        recipe: Name of the recipe that made it.
        protocol: Labels and training cells; None of an estimator that was saved without.
        training_hashes: ``S32 [n]`` module hashes of the training cells, or ``S64 [n]`` of whole
            networks.
        seed: Seed of the fit.
        source: Name of the model in errors: the folder from which it was read.
        network: Size of the networks whose labels it learned; None if it is not known.
        unit: Unit of the predictions; empty if it is not known, and for fractions.
    """

    estimator: Any
    recipe: str
    protocol: Protocol | None
    training_hashes: NDArray[np.bytes_] = field(repr=False)
    seed: int = 0
    source: str = field(default="the model", repr=False)
    network: NetworkSize | None = field(default=None, repr=False)
    unit: str = field(default="", repr=False)

    @classmethod
    def train(
        cls,
        table: AnyTable,
        protocol: Protocol,
        recipe: str = DEFAULT_RECIPE,
        seed: int = 0,
        device: str = "auto",
        progress: Callable[[int, float], None] | None = None,
        callback: Callback | None = None,
        **settings: Any,
    ) -> TrainedPredictor:
        """Fit a recipe on a protocol's training cells.

        Args:
            table: Cells and labels.
            protocol: Labels and training cells.
            recipe: A key of ``recipes.RECIPES``.
            seed: Random seed of the fit.
            device: A torch device name, or ``"auto"``.
            progress: Called after each epoch with its loss, where the recipe trains in epochs.
            callback: Receives the loss of each of these epochs, and the number of training cells
                at the end.
            settings: Override single settings of the recipe.

        Raises:
            SettingsError: If the recipe, a setting or the split is not valid here.
        """
        protocol = protocol.on(table)
        estimator = make_estimator(recipe, protocol.label, seed, device, **settings)
        receivers = [] if progress is None else [progress]
        if callback is not None:
            receivers.append(lambda epoch, loss: callback.on_epoch(epoch, {"loss": loss}))
        if receivers and "progress" in estimator.get_params():
            estimator.set_params(progress=partial(_call_all, receivers))
        split = protocol.apply(table)
        estimator.fit(table.cells[split.train], split.train_labels)
        network = table.network_size if isinstance(table, Table) else None
        hashes = table.hashes[split.train]
        unit = label_unit(table, protocol.training_label(table))
        if callback is not None:
            callback.on_end({"training_cells": len(hashes)})
        return cls(estimator, recipe, protocol, hashes, int(seed), network=network, unit=unit)

    def evaluate(
        self, table: AnyTable, split: str | None = None, label: LabelPolicy | None = None
    ) -> Evaluation:
        """Compare predictions with a table on evaluated cells that are no training cells.

        Args:
            table: Measured cells, of the model's operations.
            split: A named split or a number, drawn with the protocol's split seed; the protocol's
                evaluated cells by default.
            label: The label compared with; the protocol's by default.

        Raises:
            ModelError: If the model has no protocol.
            SettingsError: If no measured cell is left to evaluate on.
        """
        own = self.require_protocol()
        return self.compare(table, compared_rows(own, self.training_hashes, table, split, label))

    def compare(self, table: AnyTable, compared: ComparedRows) -> Evaluation:
        """Compare predictions with rows of a table that :func:`.compared_rows` has returned."""
        protocol, rows, labels, left_out = compared
        predicted = checked_predictions(
            self.estimator.predict(table.cells[rows]),
            len(rows),
            lambda row: f"{table.thing} {table.hashes[rows[row]].decode()}",
        )
        fractions = has_fractions(table, protocol)
        return Evaluation(protocol, rows, labels, predicted, left_out, fractions)

    @property
    def larger_is_better(self) -> bool:
        """Whether larger predictions are better; they are if the label is not known."""
        label = None if self.protocol is None else self.protocol.label
        return label is None or label.larger_is_better

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the model folder (see :mod:`pyg_nas.predictors.storage.folder`)."""
        about: dict[str, Any] = {}
        if self.protocol is not None:
            about = {
                "recipe": self.recipe,
                "seed": self.seed,
                "protocol": self.protocol.to_dict(),
                "training_cells": [digest.decode() for digest in self.training_hashes.tolist()],
                "network": None if self.network is None else asdict(self.network),
                "unit": self.unit,
            }
        save_model(self.estimator, folder, about)

    @classmethod
    def load(cls, folder: str | os.PathLike[str], device: str = "auto") -> TrainedPredictor:
        """Read a model folder; that of an estimator alone, by ``save_model``, has no protocol.

        Raises:
            ModelError: If it is missing or damaged.
        """
        return cls.from_header(ModelHeader.read(folder), device)

    @classmethod
    def from_header(cls, header: ModelHeader, device: str = "auto") -> TrainedPredictor:
        """Read the model of a folder whose settings were read already.

        Raises:
            ModelError: If the weights are missing, damaged or not those of the settings.
        """
        estimator = load_described(header.source, header.settings, device)
        return cls(
            estimator,
            header.recipe,
            header.protocol,
            header.training_hashes,
            header.seed,
            header.source,
            header.network,
            header.unit,
        )


def _call_all(receivers: Sequence[Callable[[int, float], None]], epoch: int, loss: float) -> None:
    for receive in receivers:
        receive(epoch, loss)


Model = TrainedPredictor  # the name of version 0.1
