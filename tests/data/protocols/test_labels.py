from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyg_nas.cli.options import chosen_label
from pyg_nas.data.protocols.labels import PAPER_LABEL, LabelPolicy
from pyg_nas.data.tables.official_file import convert, write_official
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import SettingsError, TableError
from pyg_nas.graphs.enumeration import sample_cells

NAN = float("nan")


def test_the_better_of_two_labels_is_the_larger_but_for_seconds() -> None:
    assert LabelPolicy("test_accuracy").larger_is_better
    assert not LabelPolicy("training_time").larger_is_better


def table_of(runs: list[list[float]], metric: int = 2, point: int = 1, budget: int = 3) -> Table:
    """A table with just these readings ``[cells][3 runs]`` of one metric."""
    metrics = np.full((len(runs), 4, 3, 2, 4), np.nan, dtype=np.float32)
    metrics[:, budget, :, point, metric] = runs
    return Table(sample_cells(len(runs), 0), metrics)


RUNS = [
    [0.9, 0.8, 0.7],  # sound
    [0.1, 0.8, 0.7],  # run 0 blew up
    [0.1, 0.1, 0.7],  # runs 0 and 1 blew up
    [0.1, 0.1, 0.15],  # all blew up
    [0.1, NAN, 0.7],  # run 0 blew up, the next one is missing
    [NAN, 0.8, 0.7],  # run 0 is missing
    [NAN, NAN, NAN],
    [0.2, 0.8, 0.7],  # exactly at the limit is sound
]


def label(policy: LabelPolicy, runs: list[list[float]] = RUNS) -> list[float]:
    return np.round(table_of(runs).label(policy), 6).tolist()


def check(actual: list[float], expected: list[float]) -> None:
    np.testing.assert_allclose(actual, expected, atol=2e-6)


def test_run_0_is_replaced_by_the_next_valid_run() -> None:
    # The mean of the other labels: (0.9 + 0.8 + 0.7 + 0.7 + 0.2) / 5 = 0.66.
    check(label(LabelPolicy()), [0.9, 0.8, 0.7, 0.66, 0.7, NAN, NAN, 0.2])


def test_training_is_charged_as_far_as_the_label_reads() -> None:
    times = [[30.0, 20.0, 10.0], [NAN, 20.0, 10.0], [NAN, NAN, NAN]]
    table = table_of(times, metric=0)
    table.metrics[:, :, :, 0, 0] = table.metrics[:, :, :, 1, 0] / 4
    check(table.training_seconds().tolist(), [30.0, NAN, NAN])
    check(table.training_seconds(LabelPolicy(run=1)).tolist(), [20.0, 20.0, NAN])
    check(table.training_seconds(LabelPolicy(run="mean")).tolist(), [60.0, 30.0, NAN])
    check(table.training_seconds(LabelPolicy(run=1, halfway=True)).tolist(), [5.0, 5.0, NAN])
    halfway = LabelPolicy(run="mean", halfway=True)
    check(table.training_seconds(halfway).tolist(), [15.0, 7.5, NAN])
    check(table.training_seconds(LabelPolicy(budget=4)).tolist(), [NAN, NAN, NAN])
    for wrong in (LabelPolicy(run=3), LabelPolicy(budget=5), LabelPolicy(budget=5, run="mean")):
        with pytest.raises(TableError, match="was requested"):
            table.training_seconds(wrong)


def test_the_recipe_falls_back_to_its_own_mean() -> None:
    check(label(PAPER_LABEL), [0.9, 0.8, 0.7, 0.908192, 0.7, NAN, NAN, 0.2])


def test_the_next_run_is_found_cyclically() -> None:
    runs = [[0.9, 0.8, 0.1], [0.1, 0.8, 0.1], [0.9, 0.8, 0.7], [0.9, 0.8, NAN]]
    check(label(LabelPolicy(run=2), runs), [0.9, 0.8, 0.7, NAN])


def test_a_mean_leaves_failed_and_missing_runs_out() -> None:
    others = [0.8, 0.75, 0.7, 0.7, 0.75, 1.7 / 3]
    fallback = sum(others) / 6
    check(
        label(LabelPolicy(run="mean")),
        [0.8, 0.75, 0.7, fallback, 0.7, 0.75, NAN, 1.7 / 3],
    )


def test_without_resampling_runs_stay_as_they_are() -> None:
    check(
        label(LabelPolicy(resample_below=None)),
        [0.9, 0.1, 0.1, 0.1, 0.1, NAN, NAN, 0.2],
    )
    check(
        label(LabelPolicy(run="mean", resample_below=None)),
        [0.8, 1.6 / 3, 0.3, 0.35 / 3, 0.4, 0.75, NAN, 1.7 / 3],
    )


def test_training_times_are_never_resampled() -> None:
    table = table_of([[0.05, 100.0, 200.0]], metric=0)
    assert table.label(LabelPolicy("training_time")).tolist() == [np.float32(0.05)]


def test_metric_budget_and_point_are_chosen() -> None:
    table = table_of([[0.9, 0.8, 0.7]], metric=3, point=0, budget=1)
    policy = LabelPolicy("test_accuracy", budget=12, halfway=True, run=1)
    assert table.label(policy).tolist() == [float(np.float32(0.8))]
    assert np.isnan(table.label(LabelPolicy("test_accuracy", budget=12, run=1))).all()
    assert np.isnan(table.label(LabelPolicy("test_accuracy", halfway=True, run=1))).all()


def test_nothing_is_invented_where_no_label_is_valid() -> None:
    assert np.isnan(label(LabelPolicy(), [[0.1, 0.1, 0.1]])).all()


def test_budgets_and_runs_that_the_table_lacks() -> None:
    table = table_of(RUNS)
    with pytest.raises(TableError, match="4, 12, 36, 108 epochs, 50 was requested"):
        table.label(LabelPolicy(budget=50))
    with pytest.raises(TableError, match="runs 0 to 2, run 3 was requested"):
        table.label(LabelPolicy(run=3))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"metric": ""}, "metric '' must be one of"),
        ({"metric": []}, "must be one of"),
        ({"run": -1}, "run -1"),
        ({"run": True}, "run True"),
        ({"run": "median"}, "run 'median'"),
        ({"budget": 0}, "budget 0"),
        ({"budget": "108"}, "budget '108'"),
        ({"budget": 1.5}, "budget 1.5"),
        ({"halfway": "no"}, "halfway 'no'"),
        ({"resample_below": "x"}, "resample_below 'x'"),
        ({"fallback": NAN}, "fallback nan"),
        ({"fallback": [1]}, "fallback"),
        ({"other": 1}, "unknown keys in a label policy: other"),
    ],
)
def test_invalid_policies_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        LabelPolicy.from_dict(wrong)


def test_a_policy_that_is_no_object_is_refused() -> None:
    with pytest.raises(SettingsError, match="JSON object"):
        LabelPolicy.from_dict([1])


def test_policies_survive_their_dictionary_and_have_a_description() -> None:
    policy = LabelPolicy("test_accuracy", 36, "mean", True, 0.3, 0.9)
    assert LabelPolicy.from_dict(policy.to_dict()) == policy
    assert (
        str(policy) == "test accuracy at 36 epochs, mean of runs, halfway, runs below 0.3 replaced"
    )
    assert str(LabelPolicy("training_time")) == "training time at largest budget, run 0"
    # One number of each cell or network.
    assert str(LabelPolicy("edge_latency")) == "edge latency"
    assert str(LabelPolicy("test_accuracy", run=None)) == "test accuracy"


def test_a_table_with_runs_needs_a_run() -> None:
    with pytest.raises(TableError, match="runs 0 to 2, run None was requested"):
        LabelPolicy(run=None).apply(np.zeros((4, 3)))


def test_the_default_label_of_another_task_keeps_low_figures() -> None:
    rng = np.random.default_rng(0)
    metrics = rng.uniform(0.1, 0.3, (40, 4, 1, 2, 4)).astype(np.float32)
    table = Table(sample_cells(40, 0), metrics, about={"dataset": "ImageNet-16-120"})
    np.testing.assert_array_equal(table.label(), metrics[:, 3, 0, 1, 2].astype(float))
    # Where nothing tells it from Google's, a warning does.
    with pytest.warns(UserWarning, match=r"of 40 cells have no run from 0\.2 on"):
        labels = Table(table.cells, metrics).label()
    assert (labels == PAPER_LABEL.fallback).sum() == (metrics[:, 3, 0, 1, 2] < 0.2).sum() > 2


def test_the_default_label_of_googles_table_is_the_reproductions(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    table = Table(sample_cells(5, 0), rng.uniform(0.3, 0.9, (5, 4, 3, 2, 4)).astype(np.float32))
    assert table.default_label == PAPER_LABEL
    write_official(table, tmp_path / "t.tfrecord")
    assert convert(tmp_path / "t.tfrecord", tmp_path / "t.hdf5").default_label == PAPER_LABEL


@pytest.mark.parametrize("about", [{"task": "photos"}, {"network": "another"}])
def test_low_accuracies_of_another_task_are_kept(about: dict[str, Any]) -> None:
    table = table_of(RUNS[:4])
    table.about = about
    check(table.label().tolist(), [0.9, 0.1, 0.1, 0.1])


def test_at_another_budget_low_accuracies_are_kept() -> None:
    table = table_of(RUNS[:4], budget=0)
    label = chosen_label(table.default_label, None, 4, None)
    check(table.label(label).tolist(), [0.9, 0.1, 0.1, 0.1])
    assert chosen_label(table.default_label, None, 108, None) == PAPER_LABEL
    tested = chosen_label(table.default_label, "test_accuracy", None, "mean")
    assert (tested.resample_below, tested.fallback, tested.run) == (0.2, None, "mean")


def test_a_run_exactly_at_the_limit_is_valid() -> None:
    # One half is the same in float32 and in float64; 0.2 is not.
    check(label(LabelPolicy(resample_below=0.5), [[0.5, 0.8, 0.7]]), [0.5])
    check(label(LabelPolicy(run="mean", resample_below=0.5), [[0.5, 0.75, 0.1]]), [0.625])


def test_the_run_of_the_command_line_is_the_labels() -> None:
    table = table_of(RUNS[:4])
    assert chosen_label(table.default_label, None, None, "1").run == 1
    assert chosen_label(table.default_label, None, None, "mean").run == "mean"


def test_a_metric_that_the_table_lacks_is_named() -> None:
    table = Table(
        sample_cells(3, 0), np.ones((3, 4, 3, 2, 4), np.float32), targets={"auc": [1, 2, 3]}
    )
    for policy in (LabelPolicy("accuracy"), LabelPolicy("accuracy", run="mean")):
        with pytest.raises(SettingsError, match=r"'accuracy' must be one of .*test_accuracy, auc"):
            table.label(policy)


def test_a_target_is_a_label_as_it_is() -> None:
    latency = [3.5, NAN, 0.1]
    table = Table(
        sample_cells(3, 0),
        np.full((3, 4, 3, 2, 4), NAN, np.float32),
        targets={"latency_ms": latency},
    )
    np.testing.assert_array_equal(table.label(LabelPolicy("latency_ms")), latency)
    np.testing.assert_array_equal(table.label(LabelPolicy("latency_ms", run="mean")), latency)


def test_the_name_of_a_target_gives_its_direction() -> None:
    assert LabelPolicy("pgd_accuracy").larger_is_better
    assert not LabelPolicy("inference_ms").larger_is_better


def test_a_limit_is_compared_in_the_precision_of_the_table() -> None:
    # As float32, 0.7 is a little less than the decimal number, 0.3 a little more.
    for limit in (0.7, 0.3, 0.91):
        policy = LabelPolicy(resample_below=limit)
        check(label(policy, [[limit, 0.95, 0.95]]), [limit])
        just_below = float(np.nextafter(np.float32(limit), np.float32(0)))
        check(label(policy, [[just_below, 0.95, 0.95]]), [0.95])


def test_a_limit_of_accuracies_in_percent() -> None:
    check(label(LabelPolicy(), [[10.0, 93.5, 94.0], [92.0, 93.0, 91.0]]), [93.5, 92.0])
    paper = label(LabelPolicy(fallback=0.9), [[10.0, 11.0, 9.0], [92.0, 93.0, 91.0]])
    check(paper, [90.0, 92.0])
    # Neither fractions nor percent: the limit is taken as it is.
    check(
        label(LabelPolicy(), [[0.1, 5.0, 0.9], [0.5, 0.9, 300.0], [0.9, 0.9, 0.9]]), [5.0, 0.5, 0.9]
    )
