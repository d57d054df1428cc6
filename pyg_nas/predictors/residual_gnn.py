"""The residual graph network as a scikit-learn estimator over cells."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from pyg_nas.compute.device import pick_device
from pyg_nas.compute.threads import single_threaded
from pyg_nas.data.table import Table
from pyg_nas.engine.loop import OnEpoch
from pyg_nas.engine.paths import use_compiled
from pyg_nas.errors import ModelError, SettingsError
from pyg_nas.features.blocks import Columns, over_blocks
from pyg_nas.features.graph_statistics import (
    PRIOR_GROUP,
    STATISTICS_VERSION,
    ZERO_COST_GROUP,
    CellFeatures,
    cell_features,
    check_statistics_version,
    select_columns,
)
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.nn.residual_gnn import ResidualGNN, residual_inputs
from pyg_nas.predictors.gcn import (
    State,
    as_cells,
    check_converged,
    check_same_statistics,
    finite_labels,
    require_number,
)

_READOUT = ("graph", "walks", ZERO_COST_GROUP, PRIOR_GROUP)
_HELD_OUT = 0.1
_CHUNK = 256
_MOST_WIDTH = 4_096
_NARROW = 64


class ResidualGNNRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """An ensemble of residual graph networks with vertex and graph statistics.

    Members are trained together (AdamW, one cycle). Each leaves out its own tenth of the cells,
    which it predicts afterwards: residuals of cells that a network has not seen.

    Args:
        ensemble_size: Members.
        hidden: Width of all layers; None for ``32 (N / 172)^(1/3)``, in steps of 8, 32 to 128.
        depth: Number of layers.
        dropout: Probability of dropping a feature in training.
        epochs: Passes over the training cells; None for ``200 (172 / N)^0.3``, 60 to 200.
        batch_size: Cells in a batch; the last partial batch is dropped.
        learning_rate: Highest of the cycle.
        weight_decay: Decoupled, of weights but not of biases and gains.
        random_state: Seed of weights, held-out cells, batch order and dropout.
        device: A torch device name, or ``"auto"``.
        progress: Called after each epoch with its number and the training loss.

    Attributes:
        network_: The fitted :class:`~pyg_nas.nn.residual_gnn.ResidualGNN`.
        held_out_: Rows of the training cells that a member left out, int64 ``[n]``.
        held_out_prediction_: That member's predictions of them ``[n]``.
        space_: Search space of the training cells.
    """

    def __init__(
        self,
        ensemble_size: int = 6,
        hidden: int | None = None,
        depth: int = 3,
        dropout: float = 0.1,
        epochs: int | None = None,
        batch_size: int = 32,
        learning_rate: float = 2e-3,
        weight_decay: float = 1e-2,
        random_state: int = 0,
        device: str = "auto",
        progress: OnEpoch | None = None,
    ) -> None:
        self.ensemble_size = ensemble_size
        self.hidden = hidden
        self.depth = depth
        self.dropout = dropout
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.random_state = random_state
        self.device = device
        self.progress = progress

    def fit(self, X: CellArray | Table | Iterable[Cell], y: ArrayLike) -> ResidualGNNRegressor:
        """Fit to ``N`` cells and their labels ``[N]``.

        Raises:
            SettingsError: If a label is not finite or a setting is outside its rule.
        """
        cells = as_cells(X)
        return self.fit_features(cells, cell_features(cells), finite_labels(y, len(cells)))

    def fit_features(
        self, cells: CellArray, features: CellFeatures, y: NDArray[np.float64]
    ) -> ResidualGNNRegressor:
        """Fit to cells whose statistics are known already.

        Args:
            cells: ``N`` cells.
            features: Theirs.
            y: Labels ``[N]``, or several to a cell ``[N, K]``; predictions have their shape.
        """
        self._check_settings()
        self.space_ = cells.space
        self.hidden_ = self.hidden or _width(len(cells))
        self.mean_, spread = y.mean(axis=0), y.std(axis=0)
        self.std_ = np.where(spread > 0, spread, 1.0)
        self._scale_to(cells, features)
        device = pick_device(self.device)
        inputs = [part.to(device) for part in self._inputs(cells, features)]
        standard = ((y - self.mean_) / self.std_).reshape(len(y), -1)
        target = torch.as_tensor(standard, dtype=torch.float32, device=device)
        # Generators of its own: the global ones are other threads' too.
        generator = torch.Generator().manual_seed(self.random_state)
        self.network_ = self._new_network(generator).to(device)
        if device.type != "cpu":
            generator = torch.Generator(device).manual_seed(self.random_state)
        # Threads shorten such small steps by a tenth, and where other processes compute they wait
        # for each other so long that all takes twenty times as long.
        alone = device.type == "cpu" and self.hidden_ <= _NARROW
        with single_threaded() if alone else nullcontext():
            left_out = self._train(inputs, target, generator)
        held = [self._outputs([part[rows] for part in inputs]) for rows in left_out]
        self.held_out_ = torch.cat(left_out).cpu().numpy()
        self.held_out_prediction_ = self._in_units(
            np.concatenate([outputs[m] for m, outputs in enumerate(held)])
        )
        return self

    def predict(self, X: CellArray | Table | Iterable[Cell], return_std: bool = False) -> Any:
        """Return the members' mean ``[N]``, and their standard deviation where asked for.

        Raises:
            ModelError: If the cells have other operations than the training cells.
        """
        check_is_fitted(self)
        cells = as_cells(X)
        check_same_statistics(cells, self.space_)
        members = np.empty((len(self.network_.embed), len(cells)))

        def predict_block(
            rows: slice, block: CellArray, features: CellFeatures, columns: Columns
        ) -> None:
            members[:, rows] = self.predict_features(block, features)

        over_blocks(cells, {}, predict_block)
        mean = members.mean(axis=0)
        return (mean, members.std(axis=0)) if return_std else mean

    def predict_features(self, cells: CellArray, features: CellFeatures) -> NDArray[np.float64]:
        """Return each member's predictions ``[M, N]``, or ``[M, N, K]`` of several labels."""
        device = next(self.network_.parameters()).device
        if use_compiled(device, [self.network_.activation]):
            from pyg_nas.engine.numba_residual import residual_outputs

            vertices, graph = self._standardised(cells, features)
            outputs = residual_outputs(
                self.network_, vertices, cells.adjacency, cells.num_vertices, graph
            )
            return self._in_units(outputs.astype(np.float64))
        inputs = self._inputs(cells, features)
        parts = [
            self._outputs([part[start : start + _CHUNK].to(device) for part in inputs])
            for start in range(0, len(cells), _CHUNK)
        ]
        return self._in_units(np.concatenate(parts, axis=1))

    def get_state(self) -> State:
        """Return what ``fit`` learned, for a model folder."""
        check_is_fitted(self)
        tensors = {
            f"network.{name}": tensor.detach().cpu().contiguous()
            for name, tensor in self.network_.state_dict().items()
        }
        tensors |= {name: torch.as_tensor(getattr(self, f"{name}_")) for name in _ARRAYS}
        about = {"space": self.space_.to_dict(), "statistics_version": STATISTICS_VERSION}
        return tensors, {**about, "hidden": self.hidden_}

    def set_state(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        """Take over :meth:`get_state`'s result.

        Raises:
            ModelError: If weights or statistics are missing, do not fit the settings or are
                others now.
        """
        check_statistics_version(values.get("statistics_version"))
        self.space_ = SearchSpace.from_dict(values.get("space"))
        hidden = values.get("hidden")
        if type(hidden) is not int or not 1 <= hidden <= _MOST_WIDTH:
            raise ModelError(f"hidden must be 1 to {_MOST_WIDTH}, got {hidden!r}")
        self.hidden_ = hidden
        missing = set(_ARRAYS) - set(tensors)
        if missing:
            raise ModelError(f"a residual network lacks {', '.join(sorted(missing))}")
        for name, like in _ALIKE:
            if tensors[name].shape != tensors[like].shape:
                shapes = tuple(tensors[like].shape), tuple(tensors[name].shape)
                raise ModelError(f"{name} must be {shapes[0]} as {like}, got {shapes[1]}")
        for name in _ARRAYS:
            setattr(self, f"{name}_", tensors[name].numpy())
        for name in ("mean", "std"):
            if not torch.isfinite(tensors[name]).all():
                raise ModelError(f"{name} must be finite, got {tensors[name].tolist()}")
        weights = {k[8:]: v for k, v in tensors.items() if k.startswith("network.")}
        with torch.device("meta"):
            network = self._new_network()
        try:
            network.load_state_dict(weights, assign=True)
        except RuntimeError as error:
            raise ModelError(f"weights do not fit: {error}") from None
        self.network_ = network.to(pick_device(self.device)).eval()

    def _check_settings(self) -> None:
        for name in ("ensemble_size", "depth", "batch_size"):
            require_number(name, getattr(self, name), whole=True, least=1)
        for name in ("hidden", "epochs"):
            require_number(name, getattr(self, name), whole=True, least=1, optional=True)
        require_number("random_state", self.random_state, whole=True, least=0)
        for name in ("learning_rate", "weight_decay"):
            require_number(name, getattr(self, name), whole=False, least=0)
        if not 0 <= require_number("dropout", self.dropout, whole=False) < 1:
            raise SettingsError(f"dropout must be at least 0 and below 1, got {self.dropout!r}")

    def _scale_to(self, cells: CellArray, features: CellFeatures) -> None:
        vertices = features.vertex[cells.mask]
        self.vertex_centre_ = vertices.mean(axis=0)
        self.vertex_scale_ = vertices.std(axis=0) + 1e-3
        graph = self._readout(features)
        spread = graph.std(axis=0)
        self.columns_ = np.flatnonzero(spread > 1e-6)
        self.centre_ = graph.mean(axis=0)[self.columns_]
        self.scale_ = spread[self.columns_]

    def _readout(self, features: CellFeatures) -> NDArray[np.float32]:
        names = [name for name in _READOUT if name in features.groups]
        return np.concatenate([features.groups[name] for name in names], axis=1)

    def _standardised(
        self, cells: CellArray, features: CellFeatures
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Columns of the vertices ``[N, V, columns]`` and of the graphs ``[N, columns]``."""
        one_hot = np.eye(cells.space.num_columns, dtype=np.float32)[cells.columns]
        standard = (features.vertex - self.vertex_centre_) / self.vertex_scale_
        vertices = np.concatenate([one_hot, np.clip(standard, -4, 4)], axis=2)
        graph = select_columns(self._readout(features), self.columns_)
        graph = (graph - self.centre_) / self.scale_
        return vertices, np.clip(graph, -5, 5)

    def _inputs(self, cells: CellArray, features: CellFeatures) -> list[Tensor]:
        """What the network's forward pass takes of cells, each ``[N, ...]``."""
        vertices, graph = self._standardised(cells, features)
        return residual_inputs(vertices, cells.adjacency, cells.num_vertices, graph)

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

    def _train(
        self, inputs: list[Tensor], target: Tensor, generator: torch.Generator
    ) -> list[Tensor]:
        total, members = len(target), self.ensemble_size
        device = target.device
        shuffler = torch.Generator().manual_seed(self.random_state)
        order = torch.randperm(total, generator=shuffler)
        # With very few cells none can be spared.
        spared = int(total * _HELD_OUT) if total >= 20 else 0
        held = [order.roll(-m * spared)[:spared].to(device) for m in range(members)]
        kept = torch.stack([order.roll(-m * spared)[spared:] for m in range(members)])
        batch = min(self.batch_size, kept.shape[1])
        batches = kept.shape[1] // batch
        epochs = self.epochs or int(np.clip(round(200 * (172 / total) ** 0.3), 60, 200))
        decayed = [p for p in self.network_.parameters() if p.shape[1] > 1]
        others = [p for p in self.network_.parameters() if p.shape[1] == 1]
        optimizer = torch.optim.AdamW(
            [
                {"params": decayed, "weight_decay": self.weight_decay},
                {"params": others, "weight_decay": 0.0},
            ],
            lr=self.learning_rate,
            betas=(0.9, 0.99),
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, self.learning_rate, total_steps=max(2, epochs * batches), pct_start=0.15
        )
        losses = np.empty(epochs)
        self.network_.train()
        for epoch in range(epochs):
            shuffled = torch.stack(
                [row[torch.randperm(len(row), generator=shuffler)] for row in kept]
            ).to(device)
            total_loss = 0.0
            for index in shuffled[:, : batches * batch].chunk(batches, dim=1):
                predicted = self.network_(*(part[index] for part in inputs), generator)
                # A sum over members: their gradients are those of single trainings.
                loss = (predicted - target[index]).square().mean(dim=(1, 2)).sum()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                total_loss += float(loss.detach())
            losses[epoch] = total_loss / (batches * members)
            if self.progress is not None:
                self.progress(epoch + 1, losses[epoch])
        check_converged(losses, self.learning_rate)
        self.network_.eval()
        return held

    @torch.no_grad()
    def _outputs(self, inputs: list[Tensor]) -> NDArray[np.float64]:
        members = len(self.network_.embed)
        spread = [part.expand(members, *part.shape) for part in inputs]
        outputs = self.network_(*spread).cpu().numpy()
        return np.asarray(outputs, dtype=np.float64)

    def _in_units(self, outputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Outputs ``[..., targets]`` in the unit and shape of the labels."""
        shaped = outputs.reshape(*outputs.shape[:-1], *np.shape(self.mean_))
        return np.asarray(shaped * self.std_ + self.mean_)


def _width(total: int) -> int:
    """More cells can tell more states apart: the rule of ``hidden=None``."""
    return int(np.clip(8 * round(4 * (total / 172) ** (1 / 3)), 32, 128))


_ARRAYS = (
    "mean",
    "std",
    "vertex_centre",
    "vertex_scale",
    "columns",
    "centre",
    "scale",
    "held_out",
    "held_out_prediction",
)
_ALIKE = (
    ("std", "mean"),
    ("vertex_scale", "vertex_centre"),
    ("centre", "columns"),
    ("scale", "columns"),
)
