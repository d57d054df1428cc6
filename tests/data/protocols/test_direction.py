"""Which labels are better, by their names."""

from __future__ import annotations

import pytest

from pyg_nas.data.protocols.direction import UNIT_SPELLINGS, direction, falls_with_accuracy
from pyg_nas.spaces.measurements import METRICS


@pytest.mark.parametrize(
    "metric",
    [
        *("latency_raspi4", "edge-gpu latency", "LatencyRaspi", "inferenceTime", "peakMB"),
        *("time_to_accuracy", "train-per-time", "lat", "GPU-days", "test_accuracy_std"),
        *("energy", "energy (mJ)", "val_loss", "loss/val", "train/loss", "trainMSE"),
        *("macs", "MACs", "params_M", "val_per", "PER", "top1Error"),
        *("RMSE", "mean_absolute_error", "error (%)", "top1_error", "accuracy_loss"),
        *("raspi4_ms", "raspi4 (ms)", "raspi4 [mJ]", "raspi4 in us", "inference_ms", "peak_MB"),
        *("ms_per_MB", "MB_per_image", "GB_at_5s"),
        *("ms_per_image", "number_of_params", "jacov_cost", "accuracy_cost"),
        *("neg_log_likelihood", "val_negative_log_likelihood", "energy_per_image"),
        *("sec_per_epoch", "s/epoch", "ms/image", "mJ/inf", "J/img", "W per image"),
        *("one_minus_auc", "1-auc", "1 - accuracy", "val_1-mAP", "inverse_accuracy"),
        *("1-val_acc", "1-F1", "Test 1 - AUC"),
    ],
)
def test_costs(metric: str) -> None:
    assert direction(metric) == (False, True)


@pytest.mark.parametrize(
    "metric",
    [
        *("accuracy (size 32)", "accuracy_at_size_32", "accuracy at 5 ms", "pgd_accuracy", "mAP"),
        *("val_accs", "testAccs"),
        *("auc", "throughput", "images_per_second", "img/s", "quality_per_watt"),
        *("MB_per_s", "GB/s", "read_kB/sec", "memory_GB_per_second"),
        *("neg_mean_squared_error", "neg_latency", "latency_gain", "inference_accuracy"),
        *("test_neg_mean_squared_error", "accuracy w/o labels", "acc/ms", "energy_efficiency"),
        *("macs_per_second", "gflops_per_watt", "GFLOPs/W", "images/J", "top1", "AP", "top1-acc"),
        *("memory_bandwidth", "inverse_latency", "1 - error", "1-top1_error"),
        *("top-1-accuracy", "Top_1-Acc", "rank-1-accuracy", "fold_1-accuracy", "top 1 - AP"),
        *("1-shot accuracy", "5-way 1-shot acc", "1-nn accuracy", "1-epoch accuracy"),
    ],
)
def test_gains(metric: str) -> None:
    assert direction(metric) == (True, True)


@pytest.mark.parametrize(
    ("metric", "larger"),
    [
        *[("jacov", True), ("lossless", True), ("neg", True), ("bits_per_byte", True)],
        *[("score_S", True), ("accuracy_ms", True), ("score 5 ms", True), ("", True)],
        *[("inference_raspi4", False), ("accuracy_size_32", False)],
        *[("latency_inverse", False), ("recall_negative", True)],
    ],
)
def test_names_that_leave_it_open(metric: str, larger: bool) -> None:
    assert direction(metric) == (larger, False)


@pytest.mark.parametrize(
    "metric",
    ["jacov", "inference on gpu", "neg_snip", "accuracy_ms", "5 ms", "scores/s (s)", "per"],
)
def test_a_beginning_decides(metric: str) -> None:
    assert direction(f"cost_of_{metric}") == (False, True)
    assert direction(f"gain_of_{metric}") == (True, True)


def test_the_metrics_of_tables_leave_nothing_open() -> None:
    for name in METRICS:
        assert direction(name) == (name.endswith("accuracy"), True)


@pytest.mark.parametrize(
    ("metric", "falls"),
    [
        *[(name, True) for name in ("val_loss", "top1Error", "perplexity", "1-auc", "loss_at_5ms")],
        *[(name, True) for name in ("throughput", "fps", "images_per_second", "neg_latency")],
        ("time_to_accuracy", True),
        *[(name, False) for name in ("accuracy_at_5ms", "accuracy (size 32)", "neg_loss", "jacov")],
        *[(name, False) for name in ("latency_raspi4", "raspi4 (mJ)", "params_M", "energy")],
    ],
)
def test_a_loss_and_a_speed_fall_with_accuracy(metric: str, falls: bool) -> None:
    assert falls_with_accuracy(metric) is falls


@pytest.mark.parametrize("unit", [unit for unit in UNIT_SPELLINGS if len(unit) > 1])
def test_every_unit_is_that_of_a_cost(unit: str) -> None:
    for name in (f"raspi4_{unit}", f"raspi4 ({unit})"):
        assert direction(name) == (False, True)
