"""The GCN as scikit-learn estimators, which clone, pickle, cross-validate and run in parallel.

``X`` is a :class:`~pyg_nas.graphs.cell_array.CellArray` (or a table, or a list of cells) and ``y``
one number per cell. Constructor arguments are only stored; what ``fit`` learns ends in ``_``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from pydantic import AfterValidator, Field, FiniteFloat, PlainSerializer
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.validation import check_is_fitted
from torch import Tensor
from torch.nn.functional import pad

from pyg_nas.compute.device import pick_device
from pyg_nas.compute.generators import seeded_generator
from pyg_nas.compute.jit import FEWEST_COMPILED
from pyg_nas.data.datasets.collate import collate_cells
from pyg_nas.data.datasets.loader import CollatedLoader
from pyg_nas.engine.gcn import train_sparse, train_stacked
from pyg_nas.engine.gcn_config import TrainingConfig
from pyg_nas.engine.paths import use_compiled
from pyg_nas.engine.progress import OnEpoch
from pyg_nas.engine.score import score
from pyg_nas.engine.shared_terms import (
    BLOCK_CELLS,
    ORDERED_CELLS,
    PreparedTerms,
    space_refinement,
)
from pyg_nas.errors import SettingsError, first_true, quoted
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.io.limits import MOST_MEMBERS
from pyg_nas.nn.dense import DenseGCN, dense_cells
from pyg_nas.nn.gcn import GCN
from pyg_nas.predictors.base import CellEstimator
from pyg_nas.predictors.parameter_rules import GCN_CLASSIFIER_RULES, GCN_REGRESSOR_RULES
from pyg_nas.predictors.scale import mean_and_scale
from pyg_nas.predictors.storage.state import FittedState, Networks, Space
from pyg_nas.predictors.validation import (
    Cells,
    as_cells,
    check_cells,
    check_converged,
    weighted_cells,
    weighted_rows,
)

PAPER_WIDTHS = {43: 48, 86: 72, 129: 96, 172: 144, 334: 210, 860: 320}
"""Width of the convolutions by number of training cells, arXiv:1912.00848, appendix."""

Backend = Literal["auto", "dense", "sparse"]

_PREDICT_CHUNK = 4096
# Small products and the last rows of others are added in another order. Equal cells are to have
# equal outputs wherever they stand: the rows of products are filled up to a multiple of these.
_PREDICT_MULTIPLE = 64
# Padded vertices up to which dense products are the faster (benchmarks/backend_by_size.py; in
# scoring neither is for sure from 12 to 50).
MOST_TRAINED_DENSELY, MOST_SCORED_DENSELY = 120, 12


def paper_width(n_train: int) -> int:
    """Return the paper's width for the nearest of its training sizes (on a log scale)."""
    nearest = min(PAPER_WIDTHS, key=lambda size: abs(np.log(max(n_train, 1) / size)))
    return PAPER_WIDTHS[nearest]


_NETWORK_VALUES = {
    "space": Space,
    "hidden": Annotated[int, Field(ge=1)],
    "num_members": Annotated[int, Field(ge=1, le=MOST_MEMBERS)],
}
_MEMBERS = Networks("members_", build="_empty_members")
_TwoClasses = Annotated[
    list[bool | int | float | str],
    Field(min_length=2, max_length=2),
    AfterValidator(np.array),
    PlainSerializer(list),
]


@dataclass(eq=False, repr=False)
class _GCNEstimator(CellEstimator):
    """Base class of regressor and classifier: an ensemble of GCNs."""

    hidden: int | None = None
    depth: int = 3
    head: int = 128
    dropout: float = 0.1
    epochs: int = 300
    batch_size: int = 10
    learning_rate: float = 1e-4
    weight_decay: float = 1e-3
    ensemble_size: int = 1
    random_state: int = 0
    device: str = "auto"
    backend: Backend = "auto"
    progress: OnEpoch | None = None

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
        first = int(self.random_state) * 1_000
        seeds = [first + member for member in range(self.ensemble_size)]
        self.num_members_ = len(seeds)
        self.members_ = [self._new_member(seed).to(device).train() for seed in seeds]
        config = TrainingConfig(
            self.epochs, self.batch_size, self.learning_rate, self.weight_decay, loss
        )
        target = torch.as_tensor(targets, dtype=torch.float32, device=device)
        weight = None
        if weights is not None:
            weight = torch.as_tensor(weights, dtype=torch.float32, device=device)
        if self._is_sparse(cells, MOST_TRAINED_DENSELY):
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
            dense = dense_cells(cells).to(device)
            history = train_stacked(
                self.members_, dense, target, config, seeds, weights=weight, progress=self.progress
            )
        self.training_loss_ = history.numpy()
        check_converged(self.training_loss_, self.learning_rate)
        for member in self.members_:
            member.eval()

    def _is_sparse(self, cells: CellArray, most: int) -> bool:
        if self.backend == "auto":
            return cells.width > most
        return self.backend == "sparse"

    def _new_member(self, seed: int) -> GCN:
        member = self._empty_member()
        # to_empty would import torch's compiler, which takes half a second.
        empty = {name: torch.empty(value.shape) for name, value in member.state_dict().items()}
        member.load_state_dict(empty, assign=True)
        member.reset_parameters(seeded_generator(seed))
        return member

    def _empty_members(self) -> list[GCN]:
        return [self._empty_member() for _ in range(self.num_members_)]

    def _empty_member(self) -> GCN:
        # On the meta device nothing is allocated before shapes have been compared, and nothing is
        # drawn: the global generators are other threads' too.
        with torch.device("meta"):
            return GCN(self.space_.num_columns, self.hidden_, self.depth, self.head, self.dropout)

    def prepare(self, cells: CellArray) -> None:
        """Compute all inputs of the next prediction of these cells except the weights.

        Another thread may do this while earlier cells are scored. Nothing is done for more than
        :data:`~pyg_nas.engine.shared_terms.ORDERED_CELLS`.
        """
        if len(cells) <= ORDERED_CELLS and self._shares_terms(cells):
            self._prepared.add(cells, len(self.members_[0].convs))

    @property
    def block_cells(self) -> int:
        """Cells of a stream that are scored together: more where they can share terms."""
        is_small = self.space_.max_vertices <= MOST_SCORED_DENSELY
        return ORDERED_CELLS if is_small else BLOCK_CELLS

    @cached_property
    def _prepared(self) -> PreparedTerms:
        return PreparedTerms()

    def _shares_terms(self, cells: CellArray) -> bool:
        """Whether compiled code scores these cells."""
        return (
            len(cells) >= FEWEST_COMPILED
            and not self._is_sparse(cells, MOST_SCORED_DENSELY)
            and use_compiled(self._members_device, [member.activation for member in self.members_])
        )

    @property
    def _members_device(self) -> torch.device:
        return next(self.members_[0].parameters()).device

    @torch.no_grad()
    def _outputs(self, X: Cells) -> NDArray[np.float64]:
        """Raw outputs of all members, ``[M, N]``."""
        check_is_fitted(self)
        cells = as_cells(X)
        check_cells(cells, self.space_)
        if self._shares_terms(cells):
            return self._by_shared_terms(cells)
        if self._is_sparse(cells, MOST_SCORED_DENSELY):
            return self._by_messages(cells)
        return self._by_products(cells)

    def _by_shared_terms(self, cells: CellArray) -> NDArray[np.float64]:
        depth = len(self.members_[0].convs)
        if cells.space.support.is_whole(cells):
            return score(self.members_, space_refinement(cells.space, depth)).astype(float)
        outputs = np.empty((len(self.members_), len(cells)))
        for start in range(0, len(cells), ORDERED_CELLS):
            part = cells[start : start + ORDERED_CELLS]
            terms = self._prepared.take(part, depth)
            outputs[:, start : start + len(part)] = score(self.members_, terms)
        return outputs

    def _by_messages(self, cells: CellArray) -> NDArray[np.float64]:
        gather = _SparseGather(cells, self._members_device)
        outputs = np.empty((len(self.members_), len(cells)))
        for start in range(0, len(cells), _PREDICT_CHUNK):
            index = torch.arange(start, min(start + _PREDICT_CHUNK, len(cells)))
            x, edge_index, batch = gather(index)
            more = _filled(len(x)) - len(x)  # vertices of a last graph, which has no edges
            x, batch = pad(x, (0, 0, 0, more)), pad(batch, (0, more), value=len(index))
            for m, member in enumerate(self.members_):
                predicted = member(x, edge_index, batch, _filled(len(index) + 1))
                outputs[m, index] = predicted[: len(index)].cpu()
        return outputs

    def _by_products(self, cells: CellArray) -> NDArray[np.float64]:
        network = DenseGCN(self.members_)
        outputs = np.empty((len(self.members_), len(cells)))
        for start in range(0, len(cells), _PREDICT_CHUNK):
            part = cells[start : start + _PREDICT_CHUNK]
            filled = part[np.arange(_filled(len(part))) % len(part)]
            predicted = network(dense_cells(filled).to(self._members_device))
            outputs[:, start : start + len(part)] = predicted[:, : len(part)].cpu().numpy()
        return outputs


@dataclass(eq=False, repr=False)
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
        learning_rate: Learning rate of the first epoch; it falls to zero as a cosine.
        weight_decay: L2 coefficient.
        ensemble_size: Members, trained together; their mean is the prediction.
        target_mean: Subtracted from the labels; None for the mean of the training labels.
        target_std: The labels are divided by it; None for their standard deviation.
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

    parameter_rules: ClassVar = GCN_REGRESSOR_RULES
    fitted_state: ClassVar = FittedState(
        values={**_NETWORK_VALUES, "mean": FiniteFloat, "std": FiniteFloat}, networks=_MEMBERS
    )

    target_mean: float | None = None
    target_std: float | None = None

    def fit(self, X: Cells, y: ArrayLike, sample_weight: ArrayLike | None = None) -> GCNRegressor:
        """Fit on ``N`` cells and their labels ``[N]``.

        Weights ``[N]`` are those of the cells in the loss and in the mean and standard deviation of
        the labels; cells of weight 0 are left out.

        Raises:
            SettingsError: If a label or weight is not finite or a setting is outside its rule.
            DivergedError: If the loss does not stay finite.
        """
        self.check_parameters()
        cells, labels, weights = weighted_cells(X, y, sample_weight)
        mean, scale = mean_and_scale(labels, weights)
        self.mean_ = float(mean if self.target_mean is None else self.target_mean)
        self.std_ = float(scale if self.target_std is None else self.target_std)
        if weights is not None:
            # Of mean 1, so that the step sizes are those of a fit without weights.
            weights = weights / weights.mean()
        self._train(cells, (labels - self.mean_) / self.std_, "mse", weights)
        return self

    @property
    def provides_std(self) -> bool:
        """Whether there are several members to differ from each other."""
        return self.ensemble_size > 1

    def predict(self, X: Cells, return_std: bool = False) -> Any:
        """Return predictions ``[N]`` in the unit of the labels.

        With ``return_std`` also the standard deviation between members, ``[N]``.
        """
        members = self._outputs(X) * self.std_ + self.mean_
        mean = members.mean(axis=0)
        return (mean, members.std(axis=0)) if return_std else mean


@dataclass(eq=False, repr=False)
class GCNClassifier(ClassifierMixin, _GCNEstimator):  # type: ignore[misc]
    """The same network as a two-class classifier: the first stage of arXiv:1912.00848.

    A sigmoid on the network's output, binary cross entropy, learning rate 2e-4. The mean of the
    members' logits decides.

    Args:
        class_weight: None, ``"balanced"`` or a dictionary, as in scikit-learn. The other arguments
            are those of :class:`GCNRegressor`.

    Attributes:
        classes_: The two class labels, sorted; the second is the positive one.
        members_: The fitted networks.
    """

    parameter_rules: ClassVar = GCN_CLASSIFIER_RULES
    fitted_state: ClassVar = FittedState(
        values={**_NETWORK_VALUES, "classes": _TwoClasses}, networks=_MEMBERS
    )

    learning_rate: float = 2e-4
    class_weight: str | dict[Any, float] | None = None

    def fit(self, X: Cells, y: ArrayLike, sample_weight: ArrayLike | None = None) -> GCNClassifier:
        """Fit on ``N`` cells, their classes ``[N]`` and optional weights ``[N]``.

        Cells of weight 0 are left out.

        Raises:
            SettingsError: If ``y`` is not a class for each cell, two classes in all, or a
                setting is outside its rule.
            DivergedError: If the loss does not stay finite.
        """
        self.check_parameters()
        cells = as_cells(X)
        labels = np.asarray(y)
        if labels.shape != (len(cells),):
            raise SettingsError(f"y must be [{len(cells)}], got {list(labels.shape)}")
        if labels.dtype.kind == "f" and (row := first_true(np.isnan(labels))) is not None:
            raise SettingsError(f"y must be classes, got nan at {row}")
        rows, given = weighted_rows(sample_weight, len(cells))
        cells, labels = cells[rows], labels[rows]
        self.classes_ = np.unique(labels)
        if len(self.classes_) != 2:
            raise SettingsError(
                f"a classifier needs exactly two classes in y, got {self.classes_.tolist()}"
            )
        own = self.class_weight
        if isinstance(own, dict) and not {*self.classes_.tolist()} <= {*own}:
            raise SettingsError(
                f"class_weight must have a weight of each class, {self.classes_.tolist()}, got "
                f"{quoted(own)}"
            )
        weights = compute_sample_weight(own, labels)
        if given is not None:
            weights = weights * given
        positive = (labels == self.classes_[1]).astype(np.float64)
        self._train(cells, positive, "bce", None if (weights == 1).all() else weights)
        return self

    def decision_function(self, X: Cells) -> NDArray[np.float64]:
        """Return the mean logit of the positive class, ``[N]``."""
        logits: NDArray[np.float64] = self._outputs(X).mean(axis=0)
        return logits

    def predict_proba(self, X: Cells) -> NDArray[np.float64]:
        """Return the probabilities of both classes, ``[N, 2]``."""
        from scipy.special import expit

        positive = expit(self.decision_function(X))
        return np.column_stack([1 - positive, positive])

    def predict(self, X: Cells) -> NDArray[Any]:
        """Return the more probable class of each cell, ``[N]``."""
        chosen: NDArray[Any] = self.classes_[(self.decision_function(X) > 0).astype(int)]
        return chosen


def _filled(rows: int) -> int:
    return math.ceil(rows / _PREDICT_MULTIPLE) * _PREDICT_MULTIPLE


class _SparseGather:
    """Batches of PyG graphs by index, from the collated tensors of all cells."""

    def __init__(self, cells: CellArray, device: torch.device) -> None:
        self.loader = CollatedLoader(collate_cells(cells))
        self.device = device

    def __call__(self, index: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        batch = self.loader.take(index).to(self.device)
        return batch.x, batch.edge_index, batch.batch
