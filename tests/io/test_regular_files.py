"""Only regular files are opened, and opening never waits."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from pyg_nas.errors import SettingsError, TableError
from pyg_nas.io.regular_files import check_regular, open_regular, read_regular


def special_files(folder: Path) -> dict[str, Path]:
    """Things that are no files, and links to them."""
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(folder)  # the name of a socket may have 100 characters
        try:
            server.bind("socket")
        finally:
            os.chdir(here)
    (folder / "folder").mkdir()
    found = {
        "a named pipe": folder / "pipe",
        "a socket": folder / "socket",
        "a folder": folder / "folder",
        "a device": Path("/dev/zero"),
    }
    for kind, path in list(found.items()):
        link = folder / f"link to {path.name}"
        link.symlink_to(path)
        found[f"{kind}, "] = link
    return found


def test_what_is_no_file_is_refused_by_its_kind(tmp_path: Path) -> None:
    for kind, path in special_files(tmp_path).items():
        with pytest.raises(TableError, match=f"{path}: is {kind.rstrip(' ')}") as caught:
            open_regular(path, TableError)
        assert "a file is needed" in str(caught.value)
        with pytest.raises(SettingsError):
            check_regular(path)
        with pytest.raises(SettingsError):
            read_regular(path, 10)


def test_missing_and_impossible_paths(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="none: no such file"):
        open_regular(tmp_path / "none", TableError)
    with pytest.raises(SettingsError, match="cannot be a path"):
        read_regular("a\0b", 10)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(SettingsError, match="loop: cannot be read"):
        read_regular(tmp_path / "loop", 10)


def test_content_and_links_to_files(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9")  # as Latin-1 wrote it
    (tmp_path / name).write_bytes(b"1234567890")
    (tmp_path / "link").symlink_to(tmp_path / name)
    for path in (tmp_path / name, tmp_path / "link"):
        assert read_regular(path, 10) == b"1234567890"
        assert check_regular(path) == 10
    with pytest.raises(SettingsError, match="larger than 9 bytes"):
        read_regular(tmp_path / "link", 9)


def test_a_sparse_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    path.touch()
    os.truncate(path, 200 * 2**30)
    with pytest.raises(SettingsError, match="larger than 1,000 bytes"):
        read_regular(path, 1_000)
