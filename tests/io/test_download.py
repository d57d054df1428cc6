from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from pyg_nas.errors import DownloadError
from pyg_nas.io.download import download
from pyg_nas.io.remote_file import RemoteFile
from pyg_nas.spaces.nasbench101.support import SUPPORT

CONTENT = np.random.default_rng(0).bytes(3_000_000)


class Server(ThreadingHTTPServer):
    """Serves CONTENT on 127.0.0.1; ``cuts`` are the bytes after which each answer ends."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = CONTENT
        self.cuts: list[int] = []
        self.status = 200
        self.resumes = True
        self.ranges: list[str | None] = []

    def remote(self) -> RemoteFile:
        digest = hashlib.sha256(CONTENT).hexdigest()
        return RemoteFile(f"http://127.0.0.1:{self.server_port}/a/table.bin", len(CONTENT), digest)


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.ranges.append(asked)
        if self.server.status != 200:
            self.send_error(self.server.status)
            return
        start = 0
        if asked is not None and self.server.resumes:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            self.send_response(206)
            end = len(self.server.content) - 1
            self.send_header("Content-Range", f"bytes {start}-{end}/{end + 1}")
        else:
            self.send_response(200)
        body = self.server.content[start:]
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.server.cuts:
            body = body[: self.server.cuts.pop(0)]
        self.wfile.write(body)
        self.close_connection = True

    def log_message(self, *args: object) -> None:
        """Keep the test output clean."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_downloads_a_file(server: Server, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    path = download(server.remote(), tmp_path / "new", lambda *at: seen.append(at))
    assert path == tmp_path / "new" / "table.bin"
    assert path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [p.name for p in path.parent.iterdir()] == ["table.bin"]


def test_resumes_where_the_connection_broke(server: Server, tmp_path: Path) -> None:
    server.cuts = [1_000_000, 1_500_000]
    path = download(server.remote(), tmp_path, pause_seconds=0.0)
    assert path.read_bytes() == CONTENT
    assert server.ranges[0] is None
    starts = [int(r.removeprefix("bytes=").removesuffix("-")) for r in server.ranges[1:] if r]
    assert len(starts) == 2
    assert 0 < starts[0] <= 1_000_000 < starts[1] <= 2_500_000


def test_another_process_that_writes_the_same_part_is_noticed(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyg_nas.io.download._BLOCK_BYTES", 100_000)
    part = tmp_path / "table.bin.part"

    def other(done: int, total: int) -> None:
        with part.open("ab") as file:
            file.write(CONTENT[done : done + 10])

    with pytest.raises(DownloadError, match=r"table\.bin\.part: another process is downloading"):
        download(server.remote(), tmp_path, other)


def test_the_next_call_resumes_where_the_last_one_gave_up(server: Server, tmp_path: Path) -> None:
    server.cuts = [1_200_000, 0, 0, 0]
    with pytest.raises(
        DownloadError, match=r"of 3000000 bytes are here, the next call resumes there"
    ):
        download(server.remote(), tmp_path, pause_seconds=0.0)
    there = (tmp_path / "table.bin.part").stat().st_size
    assert 0 < there <= 1_200_000
    server.ranges.clear()
    assert download(server.remote(), tmp_path).read_bytes() == CONTENT
    assert server.ranges == [f"bytes={there}-"]


def test_a_server_that_cannot_resume_sends_the_file_again(server: Server, tmp_path: Path) -> None:
    server.resumes = False
    (tmp_path / "table.bin.part").write_bytes(b"x" * 1000)
    assert download(server.remote(), tmp_path).read_bytes() == CONTENT


def test_a_longer_part_of_another_file_is_dropped(server: Server, tmp_path: Path) -> None:
    (tmp_path / "table.bin.part").write_bytes(CONTENT + b"more")
    assert download(server.remote(), tmp_path).read_bytes() == CONTENT


def test_invalid_content_is_refused_and_deleted(server: Server, tmp_path: Path) -> None:
    server.content = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])
    with pytest.raises(DownloadError, match="SHA-256"):
        download(server.remote(), tmp_path)
    assert not list(tmp_path.iterdir())


def test_more_content_than_promised_is_refused(server: Server, tmp_path: Path) -> None:
    server.content = CONTENT + bytes(2_000_000)
    with pytest.raises(DownloadError, match="more than the 3000000 bytes"):
        download(server.remote(), tmp_path)
    assert not (tmp_path / "table.bin").exists()


def test_a_refusal_is_printed_at_once(server: Server, tmp_path: Path) -> None:
    server.status = 404
    with pytest.raises(DownloadError, match="answered 404"):
        download(server.remote(), tmp_path)
    assert len(server.ranges) == 1


def test_a_server_error_is_tried_again(server: Server, tmp_path: Path) -> None:
    server.status = 503
    with pytest.raises(DownloadError, match="answered 503"):
        download(server.remote(), tmp_path, pause_seconds=0.0)
    assert len(server.ranges) == 3


def test_no_network_is_named_plainly(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    remote = RemoteFile(f"http://127.0.0.1:{port}/table.bin", 10, "0" * 64)
    with pytest.raises(DownloadError, match="no network, or the server cannot be reached"):
        download(remote, tmp_path, pause_seconds=0.0)
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_there_is_verified(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "table.bin"
    path.write_bytes(CONTENT)
    assert download(server.remote(), tmp_path) == path
    path.write_bytes(b"another file")
    with pytest.raises(DownloadError, match="exists and is not the file"):
        download(server.remote(), tmp_path)
    assert path.read_bytes() == b"another file"
    assert not server.ranges


def test_a_folder_that_cannot_be_written_is_no_network_error(
    server: Server, tmp_path: Path
) -> None:
    (tmp_path / "table.bin.part").mkdir()
    with pytest.raises(DownloadError, match=r"table\.bin\.part: cannot be written"):
        download(server.remote(), tmp_path, pause_seconds=0.0)


def test_official_files_have_plausible_sizes() -> None:
    # 423,624 cells x 3 runs, at one and at four budgets, about 410 bytes a record.
    assert 405 < SUPPORT.official_files["only108"].size / (423_624 * 3) < 415
    assert 405 < SUPPORT.official_files["full"].size / (423_624 * 12) < 415
    assert SUPPORT.official_files["full"].name == "nasbench_full.tfrecord"
