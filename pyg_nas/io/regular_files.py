"""Opening regular files only: reading a pipe or a device may never end."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

from pyg_nas.errors import PygNasError, SettingsError

AnyPath = str | os.PathLike[str]
Failure = type[PygNasError]

_FLAGS = sum(getattr(os, name, 0) for name in ("O_NONBLOCK", "O_NOCTTY", "O_BINARY"))
_BLOCK_BYTES = 2**20
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def open_regular(path: AnyPath, failure: Failure = SettingsError) -> IO[bytes]:
    """Open a regular file, or a link to one, for reading; anything else is refused.

    Raises:
        failure: If the file is missing, not a regular file, or cannot be read.
    """
    try:
        # Without O_NONBLOCK opening a pipe waits for a process that writes to it.
        number = os.open(path, os.O_RDONLY | _FLAGS)
    except (OSError, ValueError) as error:
        mode = None
        with suppress(OSError, ValueError):
            mode = Path(path).stat().st_mode
        if mode is not None:  # a socket cannot be opened: the message names its kind
            _check_mode(path, mode, failure)
        raise failure(f"{path}: {_reason(error)}") from None
    try:
        _check_mode(path, os.fstat(number).st_mode, failure)
        return os.fdopen(number, "rb")
    except PygNasError:
        os.close(number)
        raise


def check_regular(path: AnyPath, failure: Failure = SettingsError) -> int:
    """Check that a file can be opened by :func:`open_regular` and return its size in bytes.

    For libraries that open the path themselves.

    Raises:
        failure: As :func:`open_regular`.
    """
    with open_regular(path, failure) as file:
        return os.fstat(file.fileno()).st_size


def read_regular(path: AnyPath, most_bytes: int, failure: Failure = SettingsError) -> bytes:
    """Return the content of a regular file of at most ``most_bytes``.

    Raises:
        failure: As :func:`open_regular`, or if the file is larger.
    """
    with open_regular(path, failure) as file:
        size = os.fstat(file.fileno()).st_size
        try:
            content = file.read(size + 1) if size <= most_bytes else b""
        except OSError as error:
            raise failure(f"{path}: {_reason(error)}") from None
    if max(size, len(content)) > most_bytes:
        raise failure(f"{path}: larger than {most_bytes:,} bytes, the most that is read")
    return content


def byte_blocks(path: AnyPath, failure: Failure = SettingsError) -> Iterator[bytes]:
    """Yield the content of a regular file in blocks of at most 1 MiB.

    Raises:
        failure: As :func:`open_regular`, or if a block cannot be read.
    """
    with open_regular(path, failure) as file:
        try:
            while block := file.read(_BLOCK_BYTES):
                yield block
        except OSError as error:
            raise failure(f"{path}: {_reason(error)}") from None


def file_digest(path: AnyPath, failure: Failure = SettingsError) -> bytes:
    """Return the SHA-256 digest of a regular file's content.

    Raises:
        failure: As :func:`byte_blocks`.
    """
    digest = hashlib.sha256()
    for block in byte_blocks(path, failure):
        digest.update(block)
    return digest.digest()


def _check_mode(path: AnyPath, mode: int, failure: Failure) -> None:
    if not stat.S_ISREG(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "no file")
        raise failure(f"{path}: is {kind}, a file is needed")


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, OSError):
        return f"cannot be read ({error.strerror})"
    return f"cannot be a path ({error})"  # it has a NUL byte
