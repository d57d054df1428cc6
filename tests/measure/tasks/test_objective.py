"""Losses and scores against scikit-learn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score, r2_score
from sklearn.utils.class_weight import compute_class_weight

from pyg_nas.errors import MeasureError
from pyg_nas.measure.tasks.by_name import absolute_metric, get_task
from pyg_nas.measure.tasks.objective import Objective, predicted_labels
from pyg_nas.measure.tasks.task import Part, Task
from tests.measure.conftest import TINY_SETTINGS, make_tiny_task


def with_labels(labels: np.ndarray, **settings: object) -> Task:
    part = Part(np.zeros((len(labels), 1, 4, 4), np.float32), labels)
    numbers = 1 if labels.dtype.kind == "f" else int(labels.max()) + 1
    return Task("t", part, part, part, part, numbers, replace(TINY_SETTINGS, **settings))


def test_balanced_classes() -> None:
    rng = np.random.default_rng(0)
    labels = rng.choice(3, 60, p=[0.7, 0.2, 0.1]).astype(np.int64)
    objective = Objective(with_labels(labels, balanced=True))
    weights = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    np.testing.assert_allclose(objective.class_weights(), weights, rtol=1e-6)
    predicted = rng.integers(0, 3, 60)
    assert objective.score(labels, predicted) == pytest.approx(
        balanced_accuracy_score(labels, predicted)
    )
    outputs = torch.randn(1, 60, 3)
    losses = -outputs[0].log_softmax(-1)[torch.arange(60), labels]
    expected = (losses * torch.from_numpy(weights)[labels]).sum()
    loss = objective.loss("cpu")(outputs, torch.from_numpy(labels)[None])
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)


def test_numbers() -> None:
    rng = np.random.default_rng(0)
    labels = rng.normal(50, 10, 30).astype(np.float32)
    objective = Objective(with_labels(labels))
    outputs = torch.randn(2, 30, 1)
    predicted = objective.predictions(outputs)[0].numpy()
    mean, deviation = labels.mean(), labels.std()
    np.testing.assert_allclose(predicted, outputs[0, :, 0] * deviation + mean, rtol=1e-5)
    near = labels + rng.normal(0, 3, 30)
    assert objective.score(labels, near) == pytest.approx(r2_score(labels, near))
    assert objective.score(labels, np.full(30, np.nan)) == objective.score(labels, -labels) == -1
    loss = objective.loss("cpu")(outputs, torch.from_numpy(labels).expand(2, -1))
    expected = ((outputs[..., 0].numpy() - (labels - mean) / deviation) ** 2).sum()
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)


def test_huber_loss_of_numbers() -> None:
    labels = np.arange(16, dtype=np.float32)
    mean, deviation = labels.mean(), labels.std()
    off = np.zeros(16)  # in standard deviations
    off[:4] = 0.5, -0.25, 3.0, -1e6
    outputs = torch.tensor((labels - mean) / deviation + off).reshape(1, 16, 1)
    loss = Objective(with_labels(labels, huber_loss=True)).loss("cpu")
    expected = 0.5 * (0.5**2 + 0.25**2) + (3.0 - 0.5) + (1e6 - 0.5)
    assert float(loss(outputs, torch.from_numpy(labels)[None])) == pytest.approx(expected)


def test_own_metrics(tmp_path: Path) -> None:
    file = tmp_path / "own_metric_of_test.py"
    file.write_text(
        "def right(labels, predicted):\n    return (labels == predicted).sum()\n"
        "def nothing(labels, predicted):\n    return float('nan')\n"
    )
    task = make_tiny_task(replace(TINY_SETTINGS, metric=absolute_metric(f"{file}:right")))
    assert Objective(task).score(np.array([0, 1, 1]), np.array([0, 1, 2])) == 2
    assert Objective(task).score_name == "right"
    before = task.fingerprint
    file.write_text(file.read_text() + "# changed\n")
    again = make_tiny_task(task.settings)
    assert again.fingerprint != before
    bad = make_tiny_task(replace(TINY_SETTINGS, metric=absolute_metric(f"{file}:nothing")))
    with pytest.raises(MeasureError, match="must give a finite number, got nan"):
        Objective(bad).score(np.array([0]), np.array([0]))
    with pytest.raises(MeasureError, match="must give a finite number, got nan"):
        get_task("digits", metric=f"{file}:nothing")
    with pytest.raises(MeasureError, match=r"^training diverged: the network's predictions"):
        Objective(task).score(np.array([0.0, 1.0]), np.array([0.5, np.nan]))


def test_a_metric_of_which_smaller_is_better_is_refused() -> None:
    with pytest.raises(
        MeasureError,
        match=r"^metric sklearn.metrics:zero_one_loss: gives 0 for correct predictions and 0\.\d+ "
        r"for partly wrong ones; larger must be better: give its negative$",
    ):
        get_task("digits", metric="sklearn.metrics:zero_one_loss")
    get_task("digits", metric="sklearn.metrics:cohen_kappa_score")


def test_predicted_labels(tiny_task: Task) -> None:
    outputs = np.array([[1.0, 3.0, 2.0], [5.0, 1.0, 1.0]], np.float32)
    assert predicted_labels(outputs, tiny_task).tolist() == [1, 0]
