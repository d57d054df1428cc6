"""NumPy archives, read only after all headers were checked."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable
from math import prod
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.errors import PygNasError, SettingsError, one_line
from pyg_nas.io.limits import MOST_ARCHIVE_BYTES
from pyg_nas.io.regular_files import AnyPath, Failure, open_regular

_SUFFIX = ".npy"
_MOST_MEMBERS = 10_000
# What NumPy writes. Others are decompressed without a limit on the result of one step.
_COMPRESSION = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_DAMAGE = (
    *(OSError, ValueError, EOFError, TypeError, RuntimeError, NotImplementedError, SyntaxError),
    *(zipfile.BadZipFile, zlib.error),
)


def read_npz(
    path: AnyPath, names: Iterable[str] | None = None, failure: Failure = SettingsError
) -> dict[str, NDArray[Any]]:
    """Return arrays of an ``.npz`` file; nothing is unpickled.

    The names, types and shapes of all arrays are checked before any array is read.

    Args:
        names: Names of the arrays; missing ones are left out. None for all.

    Raises:
        failure: If it is not a regular file or damaged, or the arrays need more than
            :data:`~pyg_nas.io.limits.MOST_ARCHIVE_BYTES` together.
    """
    with open_regular(path, failure) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                chosen = _chosen(archive, names)
                total = sum(_array_bytes(archive, member) for member in chosen.values())
                if total > MOST_ARCHIVE_BYTES:
                    raise SettingsError(
                        f"its arrays need {total:,} bytes, at most {MOST_ARCHIVE_BYTES:,} are read"
                    )
                return {name: _read(archive, member) for name, member in chosen.items()}
        except (PygNasError, *_DAMAGE) as error:
            raise failure(f"{path}: not a readable .npz file ({one_line(error)})") from None


def _chosen(archive: zipfile.ZipFile, names: Iterable[str] | None) -> dict[str, zipfile.ZipInfo]:
    members = {info.filename.removesuffix(_SUFFIX): info for info in archive.infolist()}
    if len(members) > _MOST_MEMBERS:
        raise SettingsError(f"has {len(members):,} arrays, at most {_MOST_MEMBERS:,} are read")
    return {
        name: members[name] for name in (members if names is None else names) if name in members
    }


def _array_bytes(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> int:
    """Return the bytes of an array by its header, which must agree with the archive's directory."""
    if member.compress_type not in _COMPRESSION:
        raise SettingsError(
            f"{member.filename} is compressed by method {member.compress_type}, not by one of NumPy"
        )
    with archive.open(member) as file:
        shape, dtype = _header(file)
        head = file.tell()
    if dtype.hasobject:
        raise SettingsError(f"{member.filename} contains Python objects, which are never read")
    needed = dtype.itemsize * prod(shape)
    if head + needed != member.file_size:
        raise SettingsError(
            f"{member.filename} has the shape {shape} and type {dtype}, {needed:,} bytes, but "
            f"contains {member.file_size - head:,}"
        )
    return needed


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in read:
        raise SettingsError(f"an array's format must be 1.0 or 2.0, got {version}")
    shape, _, dtype = read[version](file)
    return shape, dtype


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(member) as file:
        return np.asarray(np.lib.format.read_array(file, allow_pickle=False))
