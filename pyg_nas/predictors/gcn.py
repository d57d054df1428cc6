"""scikit-learn estimators round the GCN: they clone, pickle, cross-validate and run in parallel.

``X`` is a :class:`~pyg_nas.graphs.cell_array.CellArray` (or a table, or a list of cells) and ``y``
one number a cell. Constructor arguments are only stored; what ``fit`` learns ends in ``_``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from pyg_nas.compute.device import pick_device
from pyg_nas.data.collate import collate_cells
from pyg_nas.data.loader import CollatedLoader
from pyg_nas.data.table import Table
from pyg_nas.engine.config import TrainingConfig
from pyg_nas.engine.loop import OnEpoch, train_sparse, train_stacked
from pyg_nas.engine.paths import use_compiled
from pyg_nas.engine.score import score
from pyg_nas.engine.shared_terms import space_refinement
from pyg_nas.errors import DivergedError, ModelError, SettingsError
from pyg_nas.features.graph_statistics import graph_feature_names, vertex_feature_names
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.nn.dense import DenseGCN, dense_cells
from pyg_nas.nn.gcn import GCN

PAPER_WIDTHS = {43: 48, 86: 72, 129: 96, 172: 144, 334: 210, 860: 320}
"""Width of the convolutions by number of training cells, arXiv:1912.00848, appendix."""

State = tuple[dict[str, Tensor], dict[str, Any]]
"""Fitted tensors and JSON values of an estimator, stored by :mod:`pyg_nas.predictors.storage`."""

Backend = Literal["auto", "dense", "sparse"]

_PREDICT_CHUNK = 4096
# Padded vertices up to which dense products are the faster (benchmarks/backend_by_size.py; in
# scoring neither is for sure from 12 to 50).
_MOST_TRAINED_DENSELY, _MOST_SCORED_DENSELY = 120, 12


def as_cells(X: CellArray | Table | Iterable[Cell]) -> CellArray:
    """Return whatever holds cells as a ``CellArray``.

    Raises:
        ModelError: If it holds something else.
    """
    if isinstance(X, CellArray):
        return X
    cells = getattr(X, "cells", None)
    if isinstance(cells, CellArray):
        return cells
    listed: list[Any] = list(X) if isinstance(X, Iterable) else [X]
    if not listed or not all(isinstance(cell, Cell) for cell in listed):
        raise ModelError(
            f"X must be a CellArray, a Table, a dataset of cells or a list of cells, "
            f"got {type(X).__name__}"
        )
    return CellArray.from_cells(listed)


def paper_width(n_train: int) -> int:
    """Return the paper's width for the nearest of its training sizes (on a log scale)."""
    nearest = min(PAPER_WIDTHS, key=lambda size: abs(np.log(max(n_train, 1) / size)))
    return PAPER_WIDTHS[nearest]


def check_operations(cells: CellArray, space: SearchSpace) -> None:
    """Check that cells have the operations of a model's training cells.

    Raises:
        ModelError: If they do not.
    """
    if cells.space.vocabulary != space.vocabulary:
        raise ModelError(
            f"the model knows the operations {', '.join(space.vocabulary)}; "
            f"the cells have {', '.join(cells.space.vocabulary)}"
        )


def features_of_space(space: SearchSpace) -> tuple[Any, ...]:
    """Return what the features of a space's cells are: equal for spaces with equal features."""
    support = space.support
    names = graph_feature_names(space), vertex_feature_names(space)
    return *names, support.zero_cost_model, support.transfer_table


def check_same_statistics(cells: CellArray, space: SearchSpace) -> None:
    """Check that cells have the operations and the statistics that a model was fitted to.

    Raises:
        ModelError: If they have others, as when only one of the two spaces adds its own.
    """
    check_operations(cells, space)
    if features_of_space(cells.space) != features_of_space(space):
        here, there = (
            f"{one.name} (at most {one.max_vertices} vertices and {one.max_edges} edges)"
            for one in (cells.space, space)
        )
        raise ModelError(f"the cells are of the space {here}, the model was fitted to {there}")


class _GCNEstimator(BaseEstimator):  # type: ignore[misc]
    """What the regressor and the classifier share: an ensemble of GCNs and how to run it."""

    hidden: int | None
    depth: int
    head: int
    dropout: float
    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    ensemble_size: int
    random_state: int
    device: str
    backend: Backend
    progress: OnEpoch | None

    def _train(
        self,
        cells: CellArray,
        targets: NDArray[np.float64],
        loss: Literal["mse", "bce"],
        weights: NDArray[np.float64] | None = None,
    ) -> None:
        device = pick_device(self.device)
        self.space_ = cells.space
        self.hidden_ = self.hidden or paper_width(len(cells))
        # Seeds of different ensembles do not overlap, so ensembles are independent draws.
        seeds = [self.random_state * 1_000 + member for member in range(self.ensemble_size)]
        self.members_ = [self._new_member(seed).to(device).train() for seed in seeds]
        config = TrainingConfig(
            self.epochs, self.batch_size, self.learning_rate, self.weight_decay, loss
        )
        target = torch.as_tensor(targets, dtype=torch.float32, device=device)
        weight = None
        if weights is not None:
            weight = torch.as_tensor(weights, dtype=torch.float32, device=device)
        if self._is_sparse(cells, _MOST_TRAINED_DENSELY):
            gather = _SparseGather(cells, device)
            real = torch.from_numpy(cells.mask)
            histories = [
                train_sparse(
                    member,
                    gather,
                    real,
                    target,
                    config,
                    seed,
                    weights=weight,
                    progress=self.progress,
                )
                for member, seed in zip(self.members_, seeds, strict=True)
            ]
            history = torch.cat(histories, dim=1)
        else:
            history = train_stacked(
                self.members_,
                dense_cells(cells).to(device),
                target,
                config,
                seeds,
                weights=weight,
                progress=self.progress,
            )
        self.training_loss_ = history.numpy()
        check_converged(self.training_loss_, self.learning_rate)
        for member in self.members_:
            member.eval()

    def _is_sparse(self, cells: CellArray, most: int) -> bool:
        if self.backend == "auto":
            return bool(cells.operations.shape[1] > most)
        return self.backend == "sparse"

    def _new_member(self, seed: int) -> GCN:
        member = self._empty_member()
        member.to_empty(device="cpu")
        member.reset_parameters(torch.Generator().manual_seed(seed))
        return member

    def _empty_member(self) -> GCN:
        # On the meta device nothing is allocated before shapes have been compared, and nothing is
        # drawn: the global generators are other threads' too.
        with torch.device("meta"):
            return GCN(self.space_.num_columns, self.hidden_, self.depth, self.head, self.dropout)

    @torch.no_grad()
    def _outputs(self, X: CellArray | Table | Iterable[Cell]) -> NDArray[np.float64]:
        """Raw outputs of all members, ``[M, N]``."""
        check_is_fitted(self)
        cells = as_cells(X)
        check_operations(cells, self.space_)
        device = next(self.members_[0].parameters()).device
        activations = [member.activation for member in self.members_]
        whole = self.backend != "sparse" and cells.space.support.is_whole(cells)
        if whole and use_compiled(device, activations):
            tables = space_refinement(cells.space, len(self.members_[0].convs))
            return score(self.members_, tables).astype(np.float64)
        outputs = np.empty((len(self.members_), len(cells)))
        if self._is_sparse(cells, _MOST_SCORED_DENSELY):
            gather = _SparseGather(cells, device)
            for index in torch.arange(len(cells)).split(_PREDICT_CHUNK):
                x, edge_index, batch = gather(index)
                for m, member in enumerate(self.members_):
                    outputs[m, index] = member(x, edge_index, batch, len(index)).cpu()
            return outputs
        dense = DenseGCN(self.members_)
        for start in range(0, len(cells), _PREDICT_CHUNK):
            part = cells[start : start + _PREDICT_CHUNK]
            predicted = dense(dense_cells(part).to(device))
            outputs[:, start : start + len(part)] = predicted.cpu().numpy()
        return outputs

    def _check_settings(self) -> None:
        for name in ("depth", "head", "epochs", "batch_size", "ensemble_size"):
            require_number(name, getattr(self, name), whole=True, least=1)
        require_number("hidden", self.hidden, whole=True, least=1, optional=True)
        require_number("random_state", self.random_state, whole=True, least=0)
        require_number("learning_rate", self.learning_rate, whole=False, least=0)
        require_number("weight_decay", self.weight_decay, whole=False, least=0)
        if not 0 <= require_number("dropout", self.dropout, whole=False) < 1:
            raise SettingsError(f"dropout must be at least 0 and below 1, got {self.dropout!r}")
        if self.backend not in ("auto", "dense", "sparse"):
            raise SettingsError(f"backend must be auto, dense or sparse, got {self.backend!r}")

    def _network_state(self) -> State:
        check_is_fitted(self)
        tensors = {
            f"{index}.{name}": tensor.detach().cpu().contiguous()
            for index, member in enumerate(self.members_)
            for name, tensor in member.state_dict().items()
        }
        return tensors, {
            "space": self.space_.to_dict(),
            "hidden": self.hidden_,
            "members": len(self.members_),
        }

    def _set_network_state(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        self.space_ = SearchSpace.from_dict(values.get("space"))
        self.hidden_ = require_number("hidden", values.get("hidden"), whole=True, least=1)
        count = require_number("members", values.get("members"), whole=True, least=1)
        members = []
        for index in range(count):
            prefix = f"{index}."
            state = {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}
            member = self._empty_member()
            try:
                member.load_state_dict(state, assign=True)
            except RuntimeError as error:
                raise ModelError(f"weights of member {index} do not fit: {error}") from None
            members.append(member.to(pick_device(self.device)).eval())
        self.members_ = members


class GCNRegressor(RegressorMixin, _GCNEstimator):  # type: ignore[misc]
    """The Neural Predictor's regressor (arXiv:1912.00848) as a scikit-learn estimator.

    The default settings are the paper's recipe.

    Args:
        hidden: Width of the convolutions; None takes the paper's for the number of cells.
        depth: Number of convolutions.
        head: Width of the linear layer.
        dropout: Probability of dropping a feature in training.
        epochs: Passes over the training cells.
        batch_size: Cells in a batch; the last partial batch is dropped.
        learning_rate: Of the first epoch; cosine to zero.
        weight_decay: L2 coefficient.
        ensemble_size: Members, trained together; their mean is the prediction.
        target_mean: Labels are normalised by it; None for the training labels' mean.
        target_std: And divided by it; None for their standard deviation.
        random_state: Seed of weights, batch order and dropout.
        device: A torch device name, or ``"auto"``.
        backend: ``"sparse"`` message passing, ``"dense"`` padded products (the same numbers up
            to rounding), or ``"auto"``: dense for small graphs, by measurement.
        progress: Called after each epoch with its number and the training loss.

    Attributes:
        members_: The fitted networks.
        training_loss_: Mean loss by epoch and member, ``[epochs, M]``.
        space_: Search space of the training cells.

    Example:
        >>> from pyg_nas.graphs.enumeration import sample_cells
        >>> cells = sample_cells(60, seed=0)
        >>> y = cells.trainable_parameters() / 5e7
        >>> GCNRegressor(hidden=16, epochs=5).fit(cells, y).predict(cells[:3]).shape
        (3,)
    """

    def __init__(
        self,
        hidden: int | None = None,
        depth: int = 3,
        head: int = 128,
        dropout: float = 0.1,
        epochs: int = 300,
        batch_size: int = 10,
        learning_rate: float = 1e-4,
        weight_decay: float = 1e-3,
        ensemble_size: int = 1,
        target_mean: float | None = None,
        target_std: float | None = None,
        random_state: int = 0,
        device: str = "auto",
        backend: Backend = "auto",
        progress: OnEpoch | None = None,
    ) -> None:
        self.hidden = hidden
        self.depth = depth
        self.head = head
        self.dropout = dropout
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.ensemble_size = ensemble_size
        self.target_mean = target_mean
        self.target_std = target_std
        self.random_state = random_state
        self.device = device
        self.backend = backend
        self.progress = progress

    def fit(self, X: CellArray | Table | Sequence[Cell], y: ArrayLike) -> GCNRegressor:
        """Fit on ``N`` cells and their labels ``[N]``.

        Raises:
            SettingsError: If a label is not finite or a setting is outside its rule.
            DivergedError: If the loss does not stay finite.
        """
        self._check_settings()
        cells = as_cells(X)
        labels = finite_labels(y, len(cells))
        self.mean_ = float(labels.mean() if self.target_mean is None else self.target_mean)
        spread = float(labels.std() if self.target_std is None else self.target_std)
        self.std_ = spread if spread > 0 else 1.0
        self._train(cells, (labels - self.mean_) / self.std_, "mse")
        return self

    def predict(self, X: CellArray | Table | Iterable[Cell], return_std: bool = False) -> Any:
        """Return predictions ``[N]`` in the unit of the labels.

        Args:
            X: The cells.
            return_std: Also return the standard deviation between members, ``[N]``.
        """
        members = self._outputs(X) * self.std_ + self.mean_
        mean = members.mean(axis=0)
        return (mean, members.std(axis=0)) if return_std else mean

    def _check_settings(self) -> None:
        super()._check_settings()
        require_number("target_mean", self.target_mean, whole=False, optional=True)
        positive = np.finfo(float).tiny
        require_number("target_std", self.target_std, whole=False, least=positive, optional=True)

    def get_state(self) -> State:
        """Return what ``fit`` learned, for a model folder."""
        tensors, values = self._network_state()
        return tensors, {**values, "mean": self.mean_, "std": self.std_}

    def set_state(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        """Take over :meth:`get_state`'s result.

        Raises:
            ModelError: If the weights do not fit the settings.
        """
        self.mean_ = float(require_number("mean", values.get("mean"), whole=False))
        self.std_ = float(require_number("std", values.get("std"), whole=False))
        self._set_network_state(tensors, values)


class GCNClassifier(ClassifierMixin, _GCNEstimator):  # type: ignore[misc]
    """The same network as a two-class classifier: the first stage of arXiv:1912.00848.

    A sigmoid on the network's output, binary cross entropy, learning rate 2e-4.

    Args:
        hidden: Width of the convolutions; None takes the paper's for the number of cells.
        depth: Number of convolutions.
        head: Width of the linear layer.
        dropout: Probability of dropping a feature in training.
        epochs: Passes over the training cells.
        batch_size: Cells in a batch; the last partial batch is dropped.
        learning_rate: Of the first epoch; cosine to zero.
        weight_decay: L2 coefficient.
        ensemble_size: Members, trained together; the mean of their logits decides.
        class_weight: None, ``"balanced"`` or a dictionary, as in scikit-learn.
        random_state: Seed of weights, batch order and dropout.
        device: A torch device name, or ``"auto"``.
        backend: ``"sparse"``, ``"dense"`` or ``"auto"``.
        progress: Called after each epoch with its number and the training loss.

    Attributes:
        classes_: The two class labels, sorted; the second is the positive one.
        members_: The fitted networks.
    """

    def __init__(
        self,
        hidden: int | None = None,
        depth: int = 3,
        head: int = 128,
        dropout: float = 0.1,
        epochs: int = 300,
        batch_size: int = 10,
        learning_rate: float = 2e-4,
        weight_decay: float = 1e-3,
        ensemble_size: int = 1,
        class_weight: str | dict[Any, float] | None = None,
        random_state: int = 0,
        device: str = "auto",
        backend: Backend = "auto",
        progress: OnEpoch | None = None,
    ) -> None:
        self.hidden = hidden
        self.depth = depth
        self.head = head
        self.dropout = dropout
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.ensemble_size = ensemble_size
        self.class_weight = class_weight
        self.random_state = random_state
        self.device = device
        self.backend = backend
        self.progress = progress

    def fit(
        self,
        X: CellArray | Table | Sequence[Cell],
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
    ) -> GCNClassifier:
        """Fit on ``N`` cells, their classes ``[N]`` and optional weights ``[N]``.

        Raises:
            SettingsError: If ``y`` does not hold exactly two classes, one for each cell, or a
                setting is outside its rule.
            DivergedError: If the loss does not stay finite.
        """
        self._check_settings()
        cells = as_cells(X)
        labels = np.asarray(y)
        if labels.shape != (len(cells),):
            raise SettingsError(f"y must be [{len(cells)}], got {list(labels.shape)}")
        self.classes_ = np.unique(labels)
        if len(self.classes_) != 2:
            raise SettingsError(
                f"a classifier needs exactly two classes in y, got {self.classes_.tolist()}"
            )
        weights = compute_sample_weight(self.class_weight, labels)
        if sample_weight is not None:
            weights = weights * finite_labels(sample_weight, len(cells))
        positive = (labels == self.classes_[1]).astype(np.float64)
        self._train(cells, positive, "bce", None if (weights == 1).all() else weights)
        return self

    def decision_function(self, X: CellArray | Table | Iterable[Cell]) -> NDArray[np.float64]:
        """Return the mean logit of the positive class, ``[N]``."""
        logits: NDArray[np.float64] = self._outputs(X).mean(axis=0)
        return logits

    def predict_proba(self, X: CellArray | Table | Iterable[Cell]) -> NDArray[np.float64]:
        """Return the probabilities of both classes, ``[N, 2]``."""
        from scipy.special import expit

        positive = expit(self.decision_function(X))
        return np.column_stack([1 - positive, positive])

    def predict(self, X: CellArray | Table | Iterable[Cell]) -> NDArray[Any]:
        """Return the more probable class of each cell, ``[N]``."""
        chosen: NDArray[Any] = self.classes_[(self.decision_function(X) > 0).astype(int)]
        return chosen

    def get_state(self) -> State:
        """Return what ``fit`` learned, for a model folder."""
        tensors, values = self._network_state()
        return tensors, {**values, "classes": self.classes_.tolist()}

    def set_state(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        """Take over :meth:`get_state`'s result.

        Raises:
            ModelError: If the weights do not fit the settings.
        """
        classes = values.get("classes")
        if not isinstance(classes, list) or len(classes) != 2:
            raise ModelError(f"a classifier's classes must be a list of two, got {classes!r}")
        self.classes_ = np.array(classes)
        self._set_network_state(tensors, values)


class _SparseGather:
    """Batches of PyG graphs by index, from the collated tensors of all cells."""

    def __init__(self, cells: CellArray, device: torch.device) -> None:
        self.loader = CollatedLoader(collate_cells(cells))
        self.device = device

    def __call__(self, index: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        batch = self.loader.take(index).to(self.device)
        return batch.x, batch.edge_index, batch.batch


def finite_labels(y: ArrayLike, total: int) -> NDArray[np.float64]:
    """Return ``y`` as float64 ``[N]``.

    Raises:
        SettingsError: If it has another shape, is empty or holds NaN or infinity.
    """
    labels = np.asarray(y, dtype=np.float64)
    if labels.shape != (total,) or total == 0:
        raise SettingsError(f"y must be [{total}] with at least one cell, got {list(labels.shape)}")
    if not np.isfinite(labels).all():
        raise SettingsError(
            f"y must be finite, got {labels[~np.isfinite(labels)][0]} at "
            f"{int(np.flatnonzero(~np.isfinite(labels))[0])}; leave out cells not measured"
        )
    return labels


def check_converged(loss: NDArray[np.floating[Any]], learning_rate: float) -> None:
    """Check a finished training by its loss, ``[epochs, ...]``.

    Raises:
        DivergedError: If it is not finite to the end.
    """
    finite = np.isfinite(loss.reshape(len(loss), -1)).all(axis=1)
    if not finite.all():
        raise DivergedError(
            f"the training diverged: its loss is not finite from epoch "
            f"{int(np.argmin(finite)) + 1} of {len(loss)} on; learning_rate {learning_rate:g} is "
            f"too high"
        )


def require_number(
    name: str, value: Any, *, whole: bool, least: float | None = None, optional: bool = False
) -> Any:
    """Return ``value``, the number of a setting ``name``; None where it is ``optional``.

    Raises:
        SettingsError: If it is not finite, not whole where it is to be, or below ``least``.
    """
    if optional and value is None:
        return None
    kinds = (int, np.integer) if whole else (int, float, np.integer, np.floating)
    sound = isinstance(value, kinds) and not isinstance(value, bool) and np.isfinite(value)
    if not sound or (least is not None and value < least):
        rule = "a whole number" if whole else "a finite number"
        bound = "" if least is None else f" >= {least}"
        raise SettingsError(f"{name} must be {rule}{bound}, got {value!r}")
    return value
