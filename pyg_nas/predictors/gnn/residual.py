"""The residual graph network as a scikit-learn estimator over cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from pyg_nas.compute.device import pick_device
from pyg_nas.compute.generators import seeded_generator
from pyg_nas.engine.progress import OnEpoch
from pyg_nas.engine.residual import (
    ResidualTask,
    ResidualTrainingConfig,
    predict_residual,
    train_residual,
)
from pyg_nas.features.blocks import map_blocks
from pyg_nas.features.graph_features import (
    FEATURE_VERSION,
    TRANSFER_GROUP,
    ZERO_COST_GROUP,
    CellFeatures,
    cell_features,
    select_columns,
)
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.nn.dense_residual import ResidualGraphs
from pyg_nas.nn.residual_gnn import ResidualGNN
from pyg_nas.predictors.base import CellRegressor
from pyg_nas.predictors.labelled_features import LabelledFeatures
from pyg_nas.predictors.parameter_rules import (
    DEPTH,
    DROPOUT,
    EPOCHS_OR_RULE,
    MEMBERS,
    SEED,
    WIDTH_OR_RULE,
    ParameterRule,
    real,
    whole,
)
from pyg_nas.predictors.scale import mean_and_scale
from pyg_nas.predictors.storage.state import Array, FeatureVersion, FittedState, Networks, Space
from pyg_nas.predictors.validation import (
    Cells,
    cells_to_predict,
    check_converged,
    weighted_cells,
)

_READOUT = ("graph", "walks", ZERO_COST_GROUP, TRANSFER_GROUP)
_HELD_OUT = 0.1
_MOST_WIDTH = 4_096


SCALES = {
    "vertex_centre": Array("float32", ("f",)),
    "vertex_scale": Array("float32", ("f",)),
    "columns": Array("int64", ("d",)),
    "centre": Array("float32", ("d",)),
    "scale": Array("float32", ("d",)),
}
"""Fitted scales of the inputs."""


@dataclass(eq=False, repr=False)
class ResidualEnsemble(CellRegressor):
    """Base class of estimators of cells and of whole networks: settings, networks, input scales.

    Attributes:
        network_: The fitted :class:`~pyg_nas.nn.residual_gnn.ResidualGNN`.
    """

    ensemble_size: int = 6
    hidden: int | None = None
    depth: int = 3
    dropout: float = 0.1
    epochs: int | None = None
    batch_size: int = 32
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    random_state: int = 0
    device: str = "auto"
    progress: OnEpoch | None = None

    parameter_rules: ClassVar[Mapping[str, ParameterRule]] = {
        "ensemble_size": MEMBERS,
        "batch_size": whole(least=1),
        "depth": DEPTH,
        "hidden": WIDTH_OR_RULE,
        "epochs": EPOCHS_OR_RULE,
        "random_state": SEED,
        **dict.fromkeys(("learning_rate", "weight_decay"), real(least=0)),
        "dropout": DROPOUT,
    }

    @property
    def provides_std(self) -> bool:
        """Whether there are several members to differ from each other."""
        return self.ensemble_size > 1

    def _fit_scales(self, vertices: NDArray[np.float32], graph: NDArray[np.float32]) -> None:
        """Take the scales of inputs at all vertices ``[V, f]`` and of graphs ``[N, inputs]``."""
        self.vertex_centre_ = vertices.mean(axis=0)
        self.vertex_scale_ = vertices.std(axis=0) + 1e-3
        spread = graph.std(axis=0)
        self.columns_ = np.flatnonzero(spread > 1e-6)
        self.centre_ = graph.mean(axis=0)[self.columns_]
        self.scale_ = spread[self.columns_]

    def _standardised(
        self, vertices: NDArray[np.float32], graph: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return inputs at vertices ``[..., f]`` and of graphs ``[N, d]`` as networks take them."""
        at_vertices = (vertices - self.vertex_centre_) / self.vertex_scale_
        of_graphs = (select_columns(graph, self.columns_) - self.centre_) / self.scale_
        return np.clip(at_vertices, -4, 4), np.clip(of_graphs, -5, 5)

    def _new_network(self, generator: torch.Generator | None = None) -> ResidualGNN:
        raise NotImplementedError

    def _empty_network(self) -> ResidualGNN:
        with torch.device("meta"):
            return self._new_network()


@dataclass(eq=False, repr=False)
class ResidualGNNRegressor(ResidualEnsemble):
    """An ensemble of residual graph networks with features of vertices and graphs.

    Members are trained together (AdamW, one cycle). Each leaves out its own tenth of the cells,
    which it predicts afterwards: residuals of cells that a network has not seen.

    Args:
        ensemble_size: Members.
        hidden: Width of all layers; None for ``32 (N / 172)^(1/3)``, in steps of 8, 32 to 128.
        depth: Number of layers.
        dropout: Probability of dropping a feature in training.
        epochs: Passes over the training cells; None for ``200 (172 / N)^0.3``, at most 200, and
            from 424 cells on ``153 (424 / N)^0.8``, at least 60.
        batch_size: Cells in a batch; the last partial batch is dropped.
        learning_rate: Highest learning rate of the cycle.
        weight_decay: Decoupled weight decay of weights, not of biases and gains.
        random_state: Seed of weights, held-out cells, batch order and dropout.
        device: A torch device name, or ``"auto"``.
        progress: Called after each epoch with its number and the training loss.

    Attributes:
        network_: The fitted :class:`~pyg_nas.nn.residual_gnn.ResidualGNN`.
        held_out_: Rows of the training cells that a member left out, int64 ``[n]``.
        held_out_prediction_: That member's predictions of them ``[n]``.
        space_: Search space of the training cells.
    """

    fitted_state: ClassVar = FittedState(
        arrays={
            "mean": Array("float64", ("*k",)),
            "std": Array("float64", ("*k",)),
            **SCALES,
            "held_out": Array("int64", ("h",)),
            "held_out_prediction": Array("float64", ("h", "*k")),
        },
        values={
            "space": Space,
            "feature_version": FeatureVersion,
            "hidden": Annotated[int, Field(ge=1, le=_MOST_WIDTH)],
        },
        networks=Networks("network_", build="_empty_network", prefix="network."),
    )

    def fit(
        self, X: Cells, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> ResidualGNNRegressor:
        """Fit to ``N`` cells and their labels ``[N]``.

        Weights ``[N]`` are those of the cells in the loss and in the mean and standard deviation of
        the labels; cells of weight 0 are left out.

        Raises:
            SettingsError: If a label or weight is not finite or a setting is outside its rule.
        """
        cells, labels, weights = weighted_cells(X, y, sample_weight)
        return self.fit_features(cells, LabelledFeatures(cell_features(cells), labels, weights))

    def epochs_for(self, cells: int) -> int:
        """Return the passes over a number of training cells."""
        return self.epochs or _epochs(cells)

    def fit_features(self, cells: CellArray, data: LabelledFeatures) -> ResidualGNNRegressor:
        """Fit to cells whose features are known already.

        Args:
            cells: ``N`` cells.
            data: Their features, and labels ``[N]``, or several to a cell ``[N, K]``; predictions
                have their shape.
        """
        features, y, weights = data.features, data.labels, data.weights
        self.check_parameters()
        self.space_, self.feature_version_ = cells.space, FEATURE_VERSION
        self.hidden_ = self.hidden or _width(len(cells))
        self.mean_, self.std_ = mean_and_scale(y, weights)
        self._fit_scales(features.vertex[cells.mask], self._readout(features))
        device = pick_device(self.device)
        graphs = self._graphs(cells, features)
        standard = ((y - self.mean_) / self.std_).reshape(len(y), -1)
        target = torch.as_tensor(standard, dtype=torch.float32, device=device)
        # Separate generators, because other threads use the global ones.
        generator = seeded_generator(self.random_state)
        shuffler = seeded_generator(self.random_state)
        self.network_ = self._new_network(generator).to(device)
        if device.type != "cpu":
            generator = seeded_generator(self.random_state, device)
        # Each member leaves out another part; with very few cells no part is left out.
        order = torch.randperm(len(y), generator=shuffler)
        spared = int(len(y) * _HELD_OUT) if len(y) >= 20 else 0
        orders = [order.roll(-m * spared) for m in range(self.ensemble_size)]
        left_out, kept = zip(*(row.split([spared, len(y) - spared]) for row in orders), strict=True)
        config = ResidualTrainingConfig(
            self.epochs_for(len(y)),
            self.batch_size,
            self.learning_rate,
            self.weight_decay,
        )
        weight = None
        if weights is not None:
            # Of mean 1, so that the step sizes are those of a fit without weights.
            weight = torch.as_tensor(weights / weights.mean(), dtype=torch.float32, device=device)
        task = ResidualTask(
            self.network_, graphs, target, torch.stack(kept), config, shuffler, generator, weight
        )
        check_converged(train_residual(task, self.progress), self.learning_rate)
        held = [predict_residual(self.network_, graphs.select(rows.numpy())) for rows in left_out]
        self.held_out_ = torch.cat(left_out).numpy()
        self.held_out_prediction_ = self._label_units(
            np.concatenate([outputs[m] for m, outputs in enumerate(held)])
        )
        return self

    def predict(self, X: Cells, return_std: bool = False) -> Any:
        """Return the members' mean ``[N]``, and their standard deviation where asked for.

        Equal cells have equal ones, see :attr:`~pyg_nas.graphs.cell_array.CellArray.distinct`.

        Raises:
            ModelError: If the cells have other operations than the training cells.
        """
        cells, places = cells_to_predict(self, X).distinct
        members = np.empty((len(self.network_.embed), len(cells)))

        def predict_block(rows: slice, block: CellArray, features: CellFeatures) -> None:
            members[:, rows] = self.predict_features(block, features)

        map_blocks(cells, (), predict_block)
        mean = members.mean(axis=0)[places]
        return (mean, members.std(axis=0)[places]) if return_std else mean

    def predict_features(self, cells: CellArray, features: CellFeatures) -> NDArray[np.float64]:
        """Return each member's predictions ``[M, N]``, or ``[M, N, K]`` of several labels."""
        return self._label_units(predict_residual(self.network_, self._graphs(cells, features)))

    def _readout(self, features: CellFeatures) -> NDArray[np.float32]:
        names = [name for name in _READOUT if name in features.groups]
        return features.joined(names)

    def _graphs(self, cells: CellArray, features: CellFeatures) -> ResidualGraphs:
        one_hot = np.eye(cells.space.num_columns, dtype=np.float32)[cells.columns]
        standard, graph = self._standardised(features.vertex, self._readout(features))
        vertices = np.concatenate([one_hot, standard], axis=2)
        return ResidualGraphs(vertices, cells.adjacency, cells.num_vertices, graph)

    def _new_network(self, generator: torch.Generator | None = None) -> ResidualGNN:
        return ResidualGNN(
            self.ensemble_size,
            self.space_.num_columns + len(self.vertex_centre_),
            len(self.columns_),
            self.mean_.size,
            self.hidden_,
            self.depth,
            self.dropout,
            generator,
        )

    def _label_units(self, outputs: NDArray[np.float32]) -> NDArray[np.float64]:
        """Outputs ``[..., targets]`` in the unit and shape of the labels."""
        shaped = outputs.astype(np.float64).reshape(*outputs.shape[:-1], *np.shape(self.mean_))
        return np.asarray(shaped * self.std_ + self.mean_)


def _epochs(total: int) -> int:
    """More cells need fewer passes: the rule of ``epochs=None``.

    From 424 cells on it was chosen by cross validation inside training cells: at 1,000 cells of
    NAS-Bench-101 and of the digits, τ of the recipe best is the same with 118, 94 and 77 passes,
    and on the digits lower with 65.
    """
    epochs = 200 * (172 / total) ** 0.3 if total <= 424 else 153 * (424 / total) ** 0.8
    return int(np.clip(round(epochs), 60, 200))


def _width(total: int) -> int:
    """More cells allow wider networks: the rule of ``hidden=None``."""
    return int(np.clip(8 * round(4 * (total / 172) ** (1 / 3)), 32, 128))
