"""The script of a network: any text that users type remains text, and files are read as before."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from pyg_nas.measure.tasks.image_files import image_size, read_pixels
from pyg_nas.measure.trained_network.script import predict_script

NAMES = ["ants | bees", "a \"b\" 'c'", "\N{SNOWMAN}\N{GRINNING FACE}", "*x*\\"]


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
    assert imported == ["os", "sys", "pathlib", "torch"]


def test_the_script_of_a_network_that_predicts_numbers_has_no_classes():
    script = predict_script((), (3, 32, 24), "pixels")
    ast.parse(script)
    assert "CLASSES" not in script


@pytest.mark.parametrize("name", ["none.png", "none.pt", "text.png", "text.pt", "."])
def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    pytest.importorskip("PIL.Image")
    for text in ("text.png", "text.pt"):
        (tmp_path / text).write_text("no image")
    monkeypatch.setattr("torch.export.load", lambda _: SimpleNamespace(module=lambda: None))
    monkeypatch.setattr("sys.argv", ["predict.py", str(tmp_path / name)])
    script = predict_script(["a", "b"], (1, 16, 24), "pixels", "pad")
    with pytest.raises(SystemExit, match=f"^{re.escape(str(tmp_path / name))}: ."):
        exec(script, {"__file__": str(tmp_path / "predict.py"), "__name__": "__main__"})


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


def test_a_file_of_floating_point_numbers_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image_module = pytest.importorskip("PIL.Image")
    image_module.fromarray(np.full((8, 8), 0.5, np.float32)).save(tmp_path / "depth.tif")
    monkeypatch.setattr("torch.export.load", lambda _: SimpleNamespace(module=lambda: None))
    namespace = {"__file__": str(tmp_path / "predict.py"), "__name__": "predict"}
    exec(predict_script([], (1, 8, 8), "pixels", "pad"), namespace)
    with pytest.raises(ValueError, match="8 or 16 bits are needed"):
        namespace["load"](str(tmp_path / "depth.tif"))


def test_a_reader_that_ends_first_causes_no_traceback(tmp_path: Path) -> None:
    """As in ``python predict.py images.pt | head -3``."""
    torch.save(torch.zeros(2, 1, 8, 8), tmp_path / "images.pt")
    (tmp_path / "predict.py").write_text(predict_script(["a", "b"], (1, 8, 8), "pixels"))
    source = (
        "import runpy, sys, types, torch; sys.argv = ['predict.py', 'images.pt', 'images.pt']; "
        "torch.export.load = lambda _: types.SimpleNamespace(module=lambda: torch.nn.Flatten()); "
        "runpy.run_path('predict.py', run_name='__main__')"
    )
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ended = subprocess.run(
            [sys.executable, "-c", source], stdout=writer, stderr=subprocess.PIPE, text=True,
            cwd=tmp_path, check=False,
        )  # fmt: skip
    finally:
        os.close(writer)
    assert (ended.returncode, ended.stderr) == (1, "")


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
