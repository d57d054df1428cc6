"""The command that looks at a folder of images."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from pyg_nas.cli.commands.images import images
from pyg_nas.errors import MeasureError
from tests.measure.images import make_folder
from tests.own_space import SOURCE, forget, write_stem


def test_a_folder_is_described(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_folder(tmp_path / "bugs")
    for name in "567":
        (folder / "bee" / f"{name}.png").unlink()
    (folder / "notes.txt").write_text("")
    images(folder)
    shown = capsys.readouterr().out
    for text in ("images: 13", "ant: 8", "bee: 5", "5 x 5 (13)", "notes.txt", "balanced accuracy",
                 "one run of 12 epochs: about",
                 "classes with fewer than 5 images for validation or testing: 2",
                 "ant: 2 for validation, 2 for testing",
                 f"next, a search: pyg-nas search {folder} --out bugs-search"):  # fmt: skip
        assert text in shown


def test_the_estimate_is_of_the_space_that_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    forget(monkeypatch)
    folder = make_folder(tmp_path / "bugs")
    (tmp_path / "users.py").write_text(SOURCE)
    write_stem(tmp_path / "stem.pt", channels=3)
    trained = []
    monkeypatch.setattr(
        "pyg_nas.measure.training.cost.Trial",
        lambda cell, *_: trained.append(cell) or SimpleNamespace(step=lambda: None),
    )
    images(folder, space=f"{tmp_path / 'users.py'}:SPACE")
    assert "one run of 12 epochs: about" in capsys.readouterr().out
    middle, largest = trained
    assert middle.space.name == "users"
    assert middle.num_vertices <= largest.num_vertices == 4


def test_what_keeps_a_folder_from_being_used_is_an_error(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "bugs", sizes=((5, 5), (7, 6)))
    with pytest.raises(
        MeasureError,
        match="have 2 sizes, half of them at least 5 pixels on the shorter side; give --image-size",
    ):
        images(folder)
    (folder / "ant" / "3.png").write_bytes(b"broken")
    with pytest.raises(MeasureError, match="1 image cannot be read"):
        images(folder)
