"""The loss of a task, and the score of predictions.

Classes are learned by cross entropy, numbers by the squared error or Huber's loss. The score of
predictions, called accuracy everywhere, is the share of correct classes, the mean of these shares
over classes, R² of numbers, or the user's own metric.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.errors import MeasureError
from pyg_nas.io.user_code import user_call
from pyg_nas.predictors.storage.registry import class_named

if TYPE_CHECKING:
    from torch import Tensor

    from pyg_nas.measure.tasks.task import Task

Labels = NDArray[Any]

_R2 = "R²"
_ACCURACY, _BALANCED = "accuracy", "balanced accuracy"
SCORES = (_ACCURACY, _BALANCED, _R2)
"""Names of the scores that are no metrics of the user's own."""
_LOWEST_R2 = -1.0  # a failed run; further down, predictors would see nothing else


class Objective:
    """The loss and the score of a task.

    Raises:
        SettingsError: If its metric cannot be imported.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        name = task.settings.metric
        self._metric: Callable[..., Any] | None = class_named(name) if name else None

    @property
    def score_name(self) -> str:
        """Name of :meth:`score` in reports."""
        if self._metric is not None:
            return self.task.settings.metric.rpartition(":")[2]
        if self.task.is_regression:
            return _R2
        return _BALANCED if self.task.settings.balanced else _ACCURACY

    def class_weights(self) -> NDArray[np.float32] | None:
        """Return the weight of each class in the loss, ``[labels]``; None for equal ones.

        The mean weight of a training image is 1.
        """
        if not self.task.settings.balanced or self.task.is_regression:
            return None
        counts = np.bincount(self.task.train.labels, minlength=self.task.num_labels)
        weights = counts.sum() / (self.task.num_labels * np.maximum(counts, 1))
        return np.asarray(weights, dtype=np.float32)

    def loss(self, device: str) -> Callable[[Tensor, Tensor], Tensor]:
        """Return a function of outputs ``[M, B, labels]`` and labels ``[M, B]``.

        It is summed over the members, so that the gradient of each is that of its own mean loss.
        """
        import torch
        from torch.nn import functional

        if self.task.is_regression:
            mean, deviation = self.task.label_scale
            error = functional.huber_loss if self.task.settings.huber_loss else functional.mse_loss

            def error_of_numbers(outputs: Tensor, labels: Tensor) -> Tensor:
                scaled = (labels - mean) / deviation
                return error(outputs.squeeze(-1), scaled, reduction="sum")

            return error_of_numbers
        weights = self.class_weights()
        weight = None if weights is None else torch.from_numpy(weights).to(device)

        def cross_entropy(outputs: Tensor, labels: Tensor) -> Tensor:
            return functional.cross_entropy(
                outputs.flatten(0, 1), labels.flatten(), weight, reduction="sum"
            )

        return cross_entropy

    def predictions(self, outputs: Tensor) -> Tensor:
        """Map outputs ``[..., labels]`` of a space's network to classes or numbers ``[...]``."""
        if not self.task.is_regression:
            return outputs.argmax(-1)
        mean, deviation = self.task.label_scale
        return outputs.squeeze(-1) * deviation + mean

    def score(self, labels: Labels, predicted: Labels) -> float:
        """Return the score of predictions ``[N]``; larger is better.

        Raises:
            MeasureError: If the user's metric fails or gives no finite number, or is asked of
                predictions that are not finite.
        """
        if self._metric is not None:
            if not np.isfinite(predicted).all():
                raise MeasureError(
                    "training diverged: the network's predictions are not finite; a smaller "
                    "learning_rate in the training settings may help"
                )
            return self._own_score(labels, predicted)
        if self.task.is_regression:
            labels, predicted = labels.astype(np.float64), predicted.astype(np.float64)
            spread = float(((labels - labels.mean()) ** 2).sum())
            r2 = 1 - float(((labels - predicted) ** 2).sum()) / (spread or 1.0)
            return r2 if r2 > _LOWEST_R2 else _LOWEST_R2  # also where it is NaN
        correct = predicted == labels
        if self.task.settings.balanced:
            return float(np.mean([correct[labels == label].mean() for label in np.unique(labels)]))
        return float(correct.mean())

    def check(self) -> None:
        """Check the user's metric, if there is one, before the first run has been trained for it.

        It is called with labels of the task, and predictions of which about half or all are
        correct.

        Raises:
            MeasureError: If the metric fails, gives no finite number, or is one of which smaller
                is better.
        """
        if self._metric is None:
            return
        labels = self.task.validation.labels
        half = self._own_score(labels, np.where(np.arange(len(labels)) % 2, labels, labels[::-1]))
        correct = self._own_score(labels, labels)
        if correct < half:
            raise MeasureError(
                f"metric {self.task.settings.metric}: gives {correct:g} for correct predictions "
                f"and {half:g} for partly wrong ones; larger must be better: give its negative"
            )

    def _own_score(self, labels: Labels, predicted: Labels) -> float:
        assert self._metric is not None
        name = self.task.settings.metric
        with user_call(f"metric {name}", MeasureError):
            value = float(self._metric(labels, predicted))
        if not np.isfinite(value):
            raise MeasureError(f"metric {name}: must give a finite number, got {value}")
        return value


def score_note(name: str, score: float) -> str:
    """Return `` or lower`` for an R² that may have been raised to -1; otherwise an empty text.

    Args:
        name: The score's :attr:`Objective.score_name`.
    """
    return " or lower" if name == _R2 and score <= _LOWEST_R2 else ""


def predicted_labels(outputs: NDArray[np.float32], task: Task) -> Labels:
    """Map outputs ``[N, labels]`` of a whole network to classes ``[N]``, or to numbers ``[N]``."""
    return outputs[:, 0] if task.is_regression else outputs.argmax(axis=1)
