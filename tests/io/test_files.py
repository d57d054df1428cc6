from __future__ import annotations

import errno
import json
import os
import stat
import threading
import time
from pathlib import Path

import pytest

from pyg_nas.errors import MeasureError, SettingsError
from pyg_nas.io.files import (
    atomic_folder,
    atomic_path,
    cache_folder,
    check_input_folder,
    check_output,
    check_output_folder,
    visible_files,
    write_json,
    write_text,
)


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_a_new_file_appears_completely_and_alone(tmp_path: Path) -> None:
    target = tmp_path / "new" / "table.hdf5"
    with atomic_path(target) as temporary:
        assert temporary.parent == target.parent
        assert temporary.suffix == ".hdf5"
        assert not target.exists()
        temporary.write_bytes(b"whole")
    assert target.read_bytes() == b"whole"
    assert _names(target.parent) == ["table.hdf5"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_exception_leaves_the_old_file_and_no_other(
    tmp_path: Path, error: type[BaseException]
) -> None:
    target = tmp_path / "scores.csv"
    target.write_text("old")

    def write_half() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("half of the ne")
            raise error

    with pytest.raises(error):
        write_half()
    assert target.read_text() == "old"
    assert _names(tmp_path) == ["scores.csv"]


def test_two_writers_have_a_file_each_and_the_last_rename_wins(tmp_path: Path) -> None:
    target = tmp_path / "answer.json"
    with atomic_path(target) as first:
        with atomic_path(target) as second:
            assert first != second
            first.write_text("first")
            second.write_text("second")
        assert target.read_text() == "second"
    assert target.read_text() == "first"
    assert _names(tmp_path) == ["answer.json"]


def test_a_reader_beside_many_writers_never_sees_half(tmp_path: Path) -> None:
    target = tmp_path / "shared.txt"
    size = 100_000
    write_text(target, "0" * size)
    seen: set[str] = set()
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            seen.add(target.read_text())

    def write(digit: int) -> None:
        for _ in range(20):
            write_text(target, str(digit) * size)

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=write, args=(digit,)) for digit in range(1, 5)]
    reader.start()
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    stop.set()
    reader.join()
    assert seen <= {str(digit) * size for digit in range(5)}
    assert _names(tmp_path) == ["shared.txt"]


def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "file.txt", "text")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file.txt").stat().st_mode) == 0o640


def test_text_is_utf8(tmp_path: Path) -> None:
    write_text(tmp_path / "file.txt", "τ ≥ 0.8\n")
    assert (tmp_path / "file.txt").read_bytes() == "τ ≥ 0.8\n".encode()


def test_a_json_file_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, synced = tmp_path / "a.json", list[tuple[int, bool]]()
    monkeypatch.setattr(
        os, "fsync", lambda number: synced.append((os.fstat(number).st_size, path.exists()))
    )
    write_json(path, {"a": 1})
    assert synced == [(path.stat().st_size, False)]


def test_a_json_file_has_no_number_that_readers_refuse(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"é": [1, None]})
    assert json.loads(path.read_text()) == {"é": [1, None]}
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"a": float("nan")})
    assert json.loads(path.read_text()) == {"é": [1, None]}


def test_the_cache_folder_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYG_NAS_CACHE", "/somewhere")
    assert cache_folder() == Path("/somewhere")
    monkeypatch.delenv("PYG_NAS_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_folder() == Path("/xdg/pyg_nas")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "pyg_nas"


def test_an_output_that_could_not_be_written_is_known_before(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    check_output(tmp_path / "new" / "newer" / "out")
    check_output(tmp_path / "file")
    check_output_folder(tmp_path / "new")
    check_output_folder(tmp_path)
    with pytest.raises(SettingsError, match="is a folder, a file is needed"):
        check_output(tmp_path)
    for check in (check_output, check_output_folder):
        with pytest.raises(SettingsError, match=r"out: .*file is a file, not a folder"):
            check(tmp_path / "file" / "out")
    with pytest.raises(SettingsError, match="file: is a file, a folder is needed"):
        check_output_folder(tmp_path / "file")
    assert _names(tmp_path) == ["file"]


@pytest.mark.parametrize("target", ["missing/folder", "link"])  # or in a circle
def test_a_link_to_no_folder_is_known_before(tmp_path: Path, target: str) -> None:
    link = tmp_path / "link"
    link.symlink_to(target)
    with pytest.raises(SettingsError, match="link is a link to a folder that does not exist"):
        check_output_folder(link)
    for check in (check_output, check_output_folder):
        with pytest.raises(SettingsError, match=r"out: .*link is a link to a folder"):
            check(link / "out")
    check_output(link)  # a file takes the link's place


@pytest.mark.skipif(getattr(os, "geteuid", int)() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_known_before(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    for check in (check_output, check_output_folder):
        with pytest.raises(SettingsError, match="cannot be written to"):
            check(tmp_path / "out")


def test_an_input_folder_is_one(tmp_path: Path) -> None:
    check_input_folder(tmp_path)
    (tmp_path / "f").touch()
    with pytest.raises(SettingsError, match="none: no such folder"):
        check_input_folder(tmp_path / "none")
    with pytest.raises(MeasureError, match="f: is a file, a folder is needed"):
        check_input_folder(tmp_path / "f", MeasureError)


def test_files_of_a_folder_that_cannot_be_read_are_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("b/2", "a/1", "a/.hidden", ".git/3", "0", "a/@eaDir/1", "lost+found/4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    names = [path.relative_to(tmp_path).as_posix() for path in visible_files(tmp_path)]
    assert names == ["0", "a/1", "b/2"]
    scandir = os.scandir

    def without_permission(path: str) -> object:
        if Path(path).name == "b":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", without_permission)
    with pytest.raises(MeasureError, match=r"/b: cannot be read \(Permission denied\)"):
        visible_files(tmp_path, MeasureError)


def test_links_to_folders_are_followed_once(tmp_path: Path) -> None:
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "folder"
    for name in ("elsewhere/1", "folder/a/2", "folder/b/3"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (folder / "a" / "more").symlink_to(elsewhere)
    (folder / "a" / "up").symlink_to("..")  # a loop
    (folder / "b" / "again").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(folder / "b")
    names = [path.relative_to(folder).as_posix() for path in visible_files(folder)]
    assert names == ["a/2", "a/more/1", "b/3"]
    assert len(visible_files(folder / "b")) == 2
    (tmp_path / "link").symlink_to(folder)
    assert len(visible_files(tmp_path / "link")) == 3
    (folder / "0").symlink_to("b")  # in order before the folder itself
    (folder / "a" / "all").symlink_to(tmp_path / "elsewhere" / "..")  # contains the folder
    assert [path.relative_to(folder).as_posix() for path in visible_files(folder)] == names


def test_an_output_is_no_input(tmp_path: Path) -> None:
    table, model = tmp_path / "table", tmp_path / "model"
    model.mkdir()
    (model / "weights").write_text("x")
    table.write_text("x")
    (tmp_path / "link").symlink_to(table)
    elsewhere = tmp_path / "elsewhere"
    for deep in (model / "class" / "deeper", elsewhere):
        deep.mkdir(parents=True)
        (deep / "image").write_text("x")
    (model / "linked").symlink_to(elsewhere)
    (model / "broken").symlink_to(tmp_path / "missing")
    deep_files = (model / "class" / "deeper" / "image", elsewhere / "image")
    for out in (table, tmp_path / "link", model / ".." / "table", model / "weights", *deep_files):
        with pytest.raises(SettingsError, match="is read by this command"):
            check_output(out, None, table, model, tmp_path / "missing")
    check_output(model / "scores", table, model)


def test_the_longest_name_that_the_system_allows(tmp_path: Path) -> None:
    target = tmp_path / ("a" * 250 + ".png")
    write_text(target, "x")
    assert target.read_text() == "x"


def test_a_write_that_fails_names_the_file(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    with pytest.raises(OSError, match=r"No space left on device: .*out\.csv"), atomic_path(target):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert _names(tmp_path) == []


@pytest.mark.parametrize("place", ["file", "file/deeper", "folder", "closed", "closed/deeper"])
def test_a_file_that_cannot_be_opened_or_renamed_is_named_itself(
    tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "folder" / "out.csv").mkdir(parents=True)
    target = tmp_path / place / "out.csv"
    if place.startswith("closed"):

        def refuse(path: Path, *_: object) -> int:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))

        # Root may write anywhere, so that permissions alone would not do.
        monkeypatch.setattr("os.open" if place == "closed" else "os.mkdir", refuse)
    with pytest.raises(OSError, match=r"out\.csv'$") as caught:
        write_text(target, "x")
    assert caught.value.filename == str(target)
    assert caught.value.filename2 is None


def test_an_error_of_another_file_keeps_its_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught, atomic_path(tmp_path / "out.csv"):
        (tmp_path / "input").read_text()
    assert caught.value.filename == str(tmp_path / "input")


def test_what_a_killed_process_left_goes_and_what_is_being_written_stays(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    with atomic_path(target) as temporary:
        abandoned = temporary.with_name(temporary.name.replace(".part", "0.part"))
        for path in (temporary, abandoned):
            path.write_text("half")
            os.utime(path, (time.time() - 10,) * 2)
        fresh = temporary.with_name(temporary.name.replace(".part", "1.part"))
        fresh.write_text("made a moment ago, perhaps not locked yet")
        write_text(target, "of another process")
        write_text(tmp_path / "other.csv", "x")
        assert sorted(_names(tmp_path)) == sorted(
            [temporary.name, fresh.name, "other.csv", "out.csv"]
        )
    assert target.read_text() == "half"


def test_a_folder_appears_completely_and_alone(tmp_path: Path) -> None:
    target = tmp_path / "new" / "net"
    with atomic_folder(target) as temporary:
        (temporary / "a").write_text("whole")
        assert not target.exists()
    assert (target / "a").read_text() == "whole"
    assert _names(target.parent) == ["net"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_folder_that_is_not_finished_leaves_nothing(
    tmp_path: Path, error: type[BaseException]
) -> None:
    def write_half() -> None:
        with atomic_folder(tmp_path / "net") as temporary:
            (temporary / "a").write_text("half")
            raise error

    with pytest.raises(error):
        write_half()
    assert not _names(tmp_path)


def test_an_empty_folder_is_replaced_and_another_one_is_not(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    with atomic_folder(tmp_path / "net") as temporary:
        (temporary / "a").write_text("first")
    with pytest.raises(OSError, match="net"), atomic_folder(tmp_path / "net") as temporary:
        (temporary / "a").write_text("second")
    assert (tmp_path / "net" / "a").read_text() == "first"
    assert _names(tmp_path) == ["net"]


def test_folders_that_killed_processes_left_are_removed(tmp_path: Path) -> None:
    target = tmp_path / "net"
    with atomic_folder(target) as held:
        old = time.time() - 60
        left = held.with_name(held.name[:10] + "0" * 12 + ".folder")
        (left / "deeper").mkdir(parents=True)
        for folder in (held, left):
            os.utime(folder, (old, old))
        with atomic_folder(target) as other:  # another writer, which the first one outlives
            assert held.is_dir()
            assert not left.exists()
            (other / "a").write_text("")
            (other / "a").unlink()
        (held / "a").write_text("whole")
    assert (target / "a").read_text() == "whole"
