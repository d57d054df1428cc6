from __future__ import annotations

import errno
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from pyg_nas.errors import SettingsError
from pyg_nas.visualization.files import save_figure


@pytest.mark.parametrize(
    ("ending", "start"),
    [("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF"), ("PDF", b"%PDF")],
)
def test_the_ending_chooses_the_format(ending: str, start: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"figure.{ending}"
    save_figure(Figure(), path)
    assert path.read_bytes().startswith(start)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("ending", ["svg", "pdf"])
def test_the_same_figure_gives_the_same_bytes(ending: str, tmp_path: Path) -> None:
    for name in ("one", "two"):
        figure = Figure()
        figure.subplots().plot([1, 2])
        save_figure(figure, tmp_path / f"{name}.{ending}")
    one, two = ((tmp_path / f"{name}.{ending}").read_bytes() for name in ("one", "two"))
    assert one == two


def test_another_ending_is_refused_and_nothing_written(tmp_path: Path) -> None:
    for name in ("figure.jpg", "figure"):
        with pytest.raises(SettingsError, match=f"'{name}' must end in .svg, .png, .pdf"):
            save_figure(Figure(), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_reported_as_such(tmp_path: Path, monkeypatch) -> None:
    def full(self: Path, content: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match=r"No space left on device.*figure\.pdf"):
        save_figure(Figure(), tmp_path / "figure.pdf")
    assert not list(tmp_path.iterdir())
