"""Downloads of large files: resumed where they stopped, then checked by their checksum."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from pyg_nas.errors import DownloadError
from pyg_nas.io.regular_files import file_digest
from pyg_nas.io.remote_file import RemoteFile

_BLOCK_BYTES = 2**20
_TIMEOUT_SECONDS = 60.0
_ATTEMPTS_WITHOUT_PROGRESS = 3
_PAUSE_SECONDS = 2.0

OnBytes = Callable[[int, int], None]


def download(
    remote: RemoteFile,
    folder: str | os.PathLike[str],
    progress: OnBytes | None = None,
    pause_seconds: float = _PAUSE_SECONDS,
) -> Path:
    """Download a file into ``folder`` and return its path; a file already there is verified.

    Received bytes are stored in ``NAME.part`` beside the target. A broken connection is resumed
    at that byte, by this call and by the next one; if the server cannot resume, the download
    starts again. Only a file of the expected size and checksum gets its final name.

    Args:
        progress: Called with (bytes received, bytes in all).
        pause_seconds: Wait before a broken connection is tried again.

    Raises:
        DownloadError: If there is no network, the server refuses, or the received file is not
            the expected one; also if another file of that name is already in the folder.
    """
    target = Path(folder) / remote.name
    if target.exists():
        if (
            target.stat().st_size != remote.size
            or file_digest(target, DownloadError).hex() != remote.sha256
        ):
            raise DownloadError(
                f"{target}: exists and is not the file at {remote.url}; move it away first"
            )
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    _receive(remote, part, progress, pause_seconds)
    digest = file_digest(part, DownloadError).hex()
    if digest != remote.sha256:
        part.unlink()
        raise DownloadError(
            f"{remote.url}: the received file has SHA-256 {digest}, not {remote.sha256}; "
            f"it was deleted"
        )
    part.replace(target)
    return target


def _receive(
    remote: RemoteFile, part: Path, progress: OnBytes | None, pause_seconds: float
) -> None:
    """Receive the missing bytes of ``part``; a broken connection is tried again."""
    failures = 0
    while _size(part) != remote.size:
        before = _size(part)
        try:
            _continue(remote, part, progress)
            reason = f"the connection ended after {_size(part)} of {remote.size} bytes"
        except HTTPError as error:
            reason = f"the server answered {error.code} {error.reason}"
            if error.code < 500:  # asking again will not help
                raise DownloadError(f"{remote.url}: {reason}") from None
        except (OSError, HTTPException) as error:  # URLError and timeouts are OSErrors
            reason = _reason(error)
        if _size(part) > before:
            failures = 0
        elif _size(part) != remote.size:
            failures += 1
            if failures == _ATTEMPTS_WITHOUT_PROGRESS:
                raise DownloadError(
                    f"{remote.url}: no network, or the server cannot be reached ({reason}); "
                    f"{_size(part)} of {remote.size} bytes are here, the next call resumes there"
                )
            time.sleep(pause_seconds)


def _continue(remote: RemoteFile, part: Path, progress: OnBytes | None) -> None:
    """Append the missing bytes to ``part``, until the end or until the connection breaks."""
    there = _size(part)
    if there > remote.size:  # left over from another file
        part.unlink()
        there = 0
    headers = {"User-Agent": "pyg-nas"}
    if there:
        headers["Range"] = f"bytes={there}-"
    with urlopen(Request(remote.url, headers=headers), timeout=_TIMEOUT_SECONDS) as answer:
        resumed = there > 0 and _resumes_at(answer, there)
        done = there if resumed else 0
        if not resumed:
            _write(part, "wb", b"")
        while block := answer.read(_BLOCK_BYTES):
            done += len(block)
            if done > remote.size:
                raise DownloadError(
                    f"{remote.url}: the server sends more than the {remote.size} bytes that "
                    f"the file has"
                )
            if _size(part) != done - len(block):
                raise DownloadError(f"{part}: another process is downloading this file as well")
            _write(part, "ab", block)
            if progress is not None:
                progress(done, remote.size)


def _write(part: Path, mode: str, block: bytes) -> None:
    # A full disk must not count as a broken connection.
    try:
        with part.open(mode) as file:
            file.write(block)
    except OSError as error:
        raise DownloadError(f"{part}: cannot be written ({error.strerror})") from error


def _resumes_at(answer: HTTPResponse, there: int) -> bool:
    """Whether a partial response starts at the requested byte."""
    return answer.status == 206 and answer.headers.get("Content-Range", "").startswith(
        f"bytes {there}-"
    )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _reason(error: BaseException) -> str:
    cause = error.reason if isinstance(error, URLError) else error
    return " ".join(str(cause).split()) or type(error).__name__
