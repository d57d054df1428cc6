"""The folder of parts: found again, refused where they are of something else."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from pyg_nas.errors import SettingsError
from pyg_nas.scoring.parts import open_parts

SETTINGS = {"model": "abc", "top": None}


def test_parts_are_found_again_in_order(tmp_path: Path) -> None:
    folder = tmp_path / "s.csv.parts"
    with open_parts(folder, SETTINGS) as parts:
        parts.write(1, "1" * 16, {"score": np.array([0.5])})
        parts.write(0, "0" * 16, {"score": np.array([0.25, 1.0])})
    with open_parts(folder, SETTINGS) as parts:
        assert parts.has(0, "0" * 16)
        assert not parts.has(2, "2" * 16)
        assert [p["score"].tolist() for p in parts.read(2)] == [[0.25, 1.0], [0.5]]
        with pytest.raises(SettingsError, match="block 1 of the source has changed"):
            parts.has(1, "9" * 16)
        parts.remove()
    assert not folder.exists()


def test_other_scores_and_other_processes_are_refused(tmp_path: Path) -> None:
    with (
        open_parts(tmp_path / "p", SETTINGS),
        pytest.raises(SettingsError, match="another process"),
        open_parts(tmp_path / "p", SETTINGS),
    ):
        pass
    with pytest.raises(ZeroDivisionError), open_parts(tmp_path / "q", SETTINGS):
        _ = 1 / 0
    assert not (tmp_path / "q").exists()  # nothing to resume from
    with (
        pytest.raises(SettingsError, match="another model, source or number"),
        open_parts(tmp_path / "p", {**SETTINGS, "top": 3}),
    ):
        pass


@pytest.mark.parametrize("damage", ["torn", "shorter", "other"])
def test_a_damaged_part_is_named(tmp_path: Path, damage: str) -> None:
    whole = {"score": np.array([0.5, 1.0]), "row": np.array([0, 1])}
    damaged = {"shorter": {**whole, "row": np.array([0])}, "other": {"score": whole["score"]}}
    with open_parts(tmp_path, SETTINGS) as parts:
        parts.write(0, "0" * 16, whole)
        parts.write(1, "1" * 16, damaged.get(damage, whole))
        if damage == "torn":
            (tmp_path / f"000000001-{'1' * 16}.npz").write_bytes(b"PK")
        with pytest.raises(SettingsError, match=r"000000001-1+\.npz: .*; delete the file"):
            list(parts.read(2))


def test_a_folder_of_the_user_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text("mine")
    with pytest.raises(SettingsError, match=r"contains 'own\.txt' and no scores"):
        open_parts(tmp_path, SETTINGS).__enter__()
    assert [path.name for path in tmp_path.iterdir()] == ["own.txt"]


def test_a_stopped_removal_and_a_torn_beginning_are_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "s.csv.parts"
    with monkeypatch.context() as patch, open_parts(folder, SETTINGS) as parts:
        parts.write(0, "0" * 16, {"score": np.array([0.5])})
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)  # killed before it
        parts.remove()
    assert [path.name for path in folder.glob("*.npz")] == []
    with open_parts(folder, SETTINGS) as parts:
        assert not parts.has(0, "0" * 16)
        parts.remove()
    folder.mkdir()
    (folder / ".1234-5678.part.json").write_text("{")  # of a process killed while it wrote
    with open_parts(folder, SETTINGS) as parts:
        parts.remove()
    assert not folder.exists()


def test_a_folder_that_another_process_removes_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "s.csv.parts"
    with open_parts(folder, SETTINGS) as parts:
        parts.write(0, "0" * 16, {"score": np.array([0.5])})
        shutil.rmtree(folder)
        parts.remove()
    mkdir = Path.mkdir

    def removed(path: Path, *given: object, **named: object) -> None:
        mkdir(path, *given, **named)  # type: ignore[arg-type]
        shutil.rmtree(path)

    monkeypatch.setattr(Path, "mkdir", removed)
    with pytest.raises(SettingsError, match="has just removed it; run the command again"):
        open_parts(folder, SETTINGS).__enter__()
