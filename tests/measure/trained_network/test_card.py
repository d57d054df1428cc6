"""The card of a network: any text that users type remains text."""

from __future__ import annotations

from typing import Any

import pytest

from pyg_nas.measure.trained_network.card import doubt, is_device_of_limit, model_card

NAMES = ["ants | bees", "a \"b\" 'c'", "\N{SNOWMAN}\N{GRINNING FACE}", "*x*\\"]


def about(classes: list[str], confusion: list[list[int]], **changes: Any) -> dict[str, Any]:
    return {
        "task": {
            "name": "photos_1", "classes": classes, "image_shape": [3, 32, 24],
            "unit": "pixels from 0 to 255", "settings": {"batch_size": 32},
        },
        "confirmation": {
            "budget": 12, "seeds": [1, 2], "standard_error": 0.0125, "chosen": "b" * 32,
            "cells": [
                {"hash": "a" * 32, "parameters": 9000, "accuracies": [0.5, 1], "mean": 0.75,
                 "test_accuracies": [0.4, 0.9]},
                {"hash": "b" * 32, "parameters": 80, "accuracies": [0.7, 0.78], "mean": 0.74,
                 "test_accuracies": [0.96, 0.97]},
            ],
        },
        "training": {"epochs": 1, "seed": 0, "images": 1234},
        "test": {
            "images": 100, "correct": 90, "accuracy": 0.9, "low": 0.8256, "high": 0.9448,
            "confidence": 0.95, "confusion": confusion,
        },
        "parameters": 57907,
        "macs": 1234567,
        "latency": {
            "median": 0.00123, "lower": 0.001, "upper": 0.002, "repeats": 200, "threads": 2,
            "processor": "Some CPU",
        },
        "onnx_missing": None,
        **changes,
    }  # fmt: skip


def test_the_card_states_what_was_measured():
    card = model_card(about(NAMES, [[9, 1, 0, 0]] * 4), "b" * 32)
    for text in (
        "90.00 % of 100 images", "82.56 % to 94.48 %", "57,907", "1,234,567", "[B, 3, 32, 24]",
        "1.23 ms median, 1.00 to 2.00 ms quartiles of 200 passes on Some CPU, 2 threads",
        "1 epoch on 1,234 images", f"`{'b' * 32}` (chosen) | 80 | 74.00 % | 70.00 to 78.00",
        "(1.25 points)", "for 12 epochs", r"ants \| bees",
        r"# photos\_1: image", '"batch_size": 32',
    ):  # fmt: skip
        assert text in card
    assert "network.onnx" not in card


@pytest.mark.parametrize(("runs", "is_far"), [([0.96, 0.97], True), ([0.95, 0.97], False)])
def test_a_training_that_went_badly_is_named(runs: list[float], is_far: bool):
    # The upper end of the interval is 0.9448.
    described = about(["a", "b"], [[1, 0], [0, 1]])
    described["confirmation"]["cells"][1]["test_accuracies"] = runs
    assert bool(doubt(described)) == is_far
    text = "is far below that of the same cell in the confirmation (96.00 to 97.00 %)"
    assert (text in model_card(described, "b" * 32)) == is_far
    described["test"] |= {"score_name": "R²", "score": 0.92}
    assert doubt(described)
    described["test"]["score"] = float("nan")
    assert not doubt(described)


def test_a_limit_on_latency_is_beside_the_measured_latency():
    described = about(["a", "b"], [[1, 0], [0, 1]])
    described["latency_limit"] = {
        "limit": 0.00125, "device": "cpu, Some CPU, 1 thread", "predicted": 0.00119,
        "median_error": 0.029, "error_90": 0.08,
    }  # fmt: skip
    described["passed_over"] = {}
    card = model_card(described, "b" * 32)
    row = (
        "| latency in the search | limit 1.25 ms; expected 1.19 ms "
        "(cpu, Some CPU, 1 thread); error of predictions: median 2.9 %, 90 % below 8.0 % |"
    )
    assert row in card.splitlines()
    assert "Passed over" not in card
    described["passed_over"] = {"a" * 32: 0.00131, "c" * 32: 0.002}
    sentence = (
        f"Passed over, because their measured latency is above the limit: `{'a' * 32}` (1.31 ms), "
        f"`{'c' * 32}` (2.00 ms)."
    )
    assert sentence in model_card(described, "b" * 32).splitlines()
    described["latency_limit"]["device"] = "as in phone|2.hdf5"
    assert r"expected 1.19 ms (as in phone\|2.hdf5); error" in model_card(described, "b" * 32)
    # An interrupted search of version 0.1 has not written what it predicted.
    described["latency_limit"] |= dict.fromkeys(("device", "predicted", "median_error", "error_90"))
    card = model_card(described, "b" * 32)
    assert "| latency in the search | limit 1.25 ms |" in card.splitlines()


def test_the_device_of_a_limit_has_its_processor_in_words():
    assert is_device_of_limit("Some CPU", "cpu, Some CPU, 1 thread")
    assert is_device_of_limit("Some CPU", "Some CPU, predicted from networks of a table")
    assert not is_device_of_limit("Some CPU", "cpu, Some CPU Pro, 1 thread")
    assert not is_device_of_limit("Some CPU", "as in phone.hdf5")
    assert not is_device_of_limit("Some CPU", None)


def test_a_missing_onnx_file_is_explained():
    card = model_card(about(["a", "b"], [[1, 0], [0, 1]], onnx_missing="ONNX needs x"), "b" * 32)
    assert "There is no `network.onnx`: ONNX needs x." in card


@pytest.mark.parametrize("count", [21, 100])
def test_of_many_classes_the_most_frequent_errors_are_shown(count: int):
    confusion = [[0] * count for _ in range(count)]
    confusion[2][3], confusion[5][5], confusion[7][1] = 4, 50, 6
    card = model_card(about([f"c{i}" for i in range(count)], confusion), "b" * 32)
    rows = [line for line in card.splitlines() if line.startswith(("| class", "| c2", "| c7"))]
    assert rows == ["| class | predicted | images |", "| c7 | c1 | 6 |", "| c2 | c3 | 4 |"]


def test_balanced_accuracy_is_in_percent_as_in_the_search():
    test = {"images": 54, "score_name": "balanced accuracy", "score": 0.8945}
    card = model_card(about([], [], test=test), "b" * 32)
    assert "| test balanced accuracy | 89.45 % on 54 images |" in card


def test_a_network_that_predicts_numbers():
    test = {
        "images": 100, "score_name": "R²", "score": 0.875, "mean_absolute_error": 1.5,
        "root_mean_squared_error": 2.25,
    }  # fmt: skip
    card = model_card(about([], [], test=test), "b" * 32)
    for line in (
        "| test R² | 0.8750 on 100 images |",
        "| test mean absolute error | 1.5 |",
        "| cell | parameters | mean validation R² | of runs |",
        "| 9,000 | 0.75 | 0.50 to 1.00 |",
        "numbers `[B, 1]`",
    ):
        assert line in card
    assert "%" not in card
    assert "Confusion" not in card
    failed = model_card(about([], [], test={**test, "score": -1.0}), "b" * 32)
    assert "| test R² | -1.0000 or lower on 100 images |" in failed
    described = about([], [], test=test)
    described["confirmation"]["cells"][0] |= {"mean": -1.0, "accuracies": [-1.0, -1.0]}
    assert "| -1.00 or lower | -1.00 to -1.00 |" in model_card(described, "b" * 32)
