"""Arrays that are slow to compute, stored in the cache folder with a checksum."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.errors import SettingsError
from pyg_nas.io.files import atomic_path, cache_folder
from pyg_nas.io.formats.npz import read_npz

Arrays = dict[str, NDArray[Any]]

_CHECKSUM = "checksum"


def cached_arrays(name: str, compute: Callable[[], Arrays]) -> Arrays:
    """Return the arrays stored as ``name``, or compute and store them if there are none."""
    arrays = read_cached(name)
    if arrays is None:
        arrays = compute()
        write_cached(name, arrays)
    return arrays


def read_cached(name: str) -> Arrays | None:
    """Return the arrays that :func:`write_cached` stored as ``name``.

    Returns None if there are none or the file is damaged: the caller computes them again.
    """
    try:
        arrays = read_npz(_path(name))
    except SettingsError:
        return None
    checksum = arrays.pop(_CHECKSUM, None)
    whole = checksum is not None and np.array_equal(checksum, _checksum(arrays))
    return arrays if whole else None


def write_cached(name: str, arrays: Arrays) -> None:
    """Store ``arrays`` as ``name``, completely or not at all.

    If the folder cannot be written to, warn and return: the arrays are computed again next time.
    ``name`` must change with everything that the arrays depend on; ``"checksum"`` is not allowed
    as a key.
    """
    content: dict[str, Any] = {**arrays, _CHECKSUM: _checksum(arrays)}
    try:
        with atomic_path(_path(name)) as temporary:
            np.savez(temporary, **content)
    except OSError as error:
        warnings.warn(
            f"{_path(name)}: cannot be written ({error.strerror}), so it is computed again in "
            f"every process; PYG_NAS_CACHE names another folder",
            stacklevel=2,
        )


def _path(name: str) -> Path:
    return cache_folder() / f"{name}.npz"


def _checksum(arrays: Arrays) -> NDArray[np.uint8]:
    digest = hashlib.sha256()
    for key in sorted(arrays):
        digest.update(f"{key} {arrays[key].dtype} {arrays[key].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[key]).data)
    return np.frombuffer(digest.digest(), dtype=np.uint8)
