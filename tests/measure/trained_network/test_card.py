"""The script and the card of a network: any text that users type remains text in them."""

from __future__ import annotations

import ast
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from pyg_nas.measure.tasks.image_files import image_size, read_pixels
from pyg_nas.measure.trained_network.card import model_card, predict_script

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
                {"hash": "a" * 32, "parameters": 9000, "accuracies": [0.5, 1], "mean": 0.75},
                {"hash": "b" * 32, "parameters": 80, "accuracies": [0.7, 0.78], "mean": 0.74},
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


def test_the_script_has_the_names_as_they_are():
    tree = ast.parse(predict_script(NAMES, (3, 32, 24), "pixels from 0 to 255"))
    (names,) = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id == "CLASSES"
    ]
    assert names == NAMES
    imported = [
        name.name if isinstance(node, ast.Import) else node.module
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in node.names
    ]
    assert imported == ["sys", "pathlib", "torch"]


@pytest.mark.parametrize("fit", ["pad", "crop", "stretch"])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_script_reads_files_as_training_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fit: str, channels: int
) -> None:
    image = pytest.importorskip("PIL.Image")
    rng = np.random.default_rng(0)
    shape = (40, 30, 3) if channels == 3 else (40, 30)
    pixels = rng.integers(0, 256, shape).astype(np.uint8)
    image.fromarray(pixels).save(tmp_path / "photo.png")
    network = SimpleNamespace(module=lambda: None)
    monkeypatch.setattr("torch.export.load", lambda _: network)
    namespace = {"__file__": str(tmp_path / "predict.py"), "__name__": "predict"}
    exec(predict_script(["a", "b"], (channels, 16, 24), "pixels", fit), namespace)
    mode = "L" if channels == 1 else "RGB"
    expected = read_pixels(tmp_path / "photo.png", mode, (24, 16), fit)
    found = namespace["load"](str(tmp_path / "photo.png"))
    assert found.shape == (1, channels, 16, 24)
    np.testing.assert_array_equal(
        found[0].permute(1, 2, 0).numpy(), expected.reshape(16, 24, channels)
    )


@pytest.mark.parametrize("fit", ["pad", "crop", "stretch"])
@pytest.mark.parametrize("form", ["L", "I;16", "P", "CMYK", "RGBA", "LA", "turned", "1"])
def test_every_form_of_file_is_read_as_in_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fit: str, form: str
) -> None:
    image_module = pytest.importorskip("PIL.Image")
    rng = np.random.default_rng(0)
    colour = image_module.fromarray(rng.integers(0, 256, (20, 30, 3)).astype(np.uint8))
    file, options = tmp_path / ("photo.jpg" if form in ("CMYK", "turned") else "photo.png"), {}
    if form == "I;16":
        picture = image_module.fromarray(rng.integers(0, 2**16, (20, 30)).astype(np.uint16))
    elif form == "turned":
        picture, options["exif"] = colour, image_module.Exif()
        options["exif"][0x0112] = 6  # turned by 90 degrees
    else:
        picture = colour.convert(form)
    picture.save(file, **options)
    monkeypatch.setattr("torch.export.load", lambda _: SimpleNamespace(module=lambda: None))
    mode = "L" if form in ("L", "I;16", "LA", "1") else "RGB"
    channels = len(mode)
    namespace = {"__file__": str(tmp_path / "predict.py"), "__name__": "predict"}
    exec(predict_script([], (channels, 16, 24), "pixels", fit), namespace)
    found = namespace["load"](str(file))[0].permute(1, 2, 0).numpy()
    expected = read_pixels(file, mode, (24, 16), fit).reshape(16, 24, channels)
    np.testing.assert_array_equal(found, expected)
    if form == "I;16":
        assert 100 < expected[3:-3, 5:-5].mean() < 155  # scaled, not clipped
    assert image_size(file) == ((20, 30) if form == "turned" else (30, 20))


def test_the_script_takes_several_files_and_explains_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    image = pytest.importorskip("PIL.Image")
    names = []
    for brightness in (0, 255):
        names.append(str(tmp_path / f"{brightness}.png"))
        image.new("L", (8, 8), brightness).save(names[-1])
    by_brightness = SimpleNamespace(
        module=lambda: lambda images: torch.stack([images.mean((1, 2, 3)), torch.tensor([99.0])], 1)
    )
    monkeypatch.setattr("torch.export.load", lambda _: by_brightness)
    script = compile(
        predict_script(["light", "dark"], (1, 8, 8), "pixels", "pad"), "predict", "exec"
    )

    def run(*arguments: str) -> None:
        monkeypatch.setattr("sys.argv", ["predict.py", *arguments])
        exec(script, {"__file__": str(tmp_path / "predict.py"), "__name__": "__main__"})

    run(*names)
    assert capsys.readouterr().out.split() == ["dark", "light"]
    for arguments in ((), ("--help",)):
        with pytest.raises(SystemExit, match=r"python predict\.py photo\.jpg, or images\.pt"):
            run(*arguments)


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
    script = predict_script((), (3, 32, 24), "pixels")
    ast.parse(script)
    assert "CLASSES" not in script
    failed = model_card(about([], [], test={**test, "score": -1.0}), "b" * 32)
    assert "| test R² | -1.0000 or lower on 100 images |" in failed
    described = about([], [], test=test)
    described["confirmation"]["cells"][0] |= {"mean": -1.0, "accuracies": [-1.0, -1.0]}
    assert "| -1.00 or lower | -1.00 to -1.00 |" in model_card(described, "b" * 32)
