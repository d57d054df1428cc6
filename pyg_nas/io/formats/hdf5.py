"""HDF5 files opened and datasets checked before any value is read from them.

HDF5 can refer to other files, declare values that were never stored, and decompress a small file to
any size. No table needs this, and such files are refused.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import ceil, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.errors import PygNasError, SettingsError, one_line
from pyg_nas.io.files import atomic_path
from pyg_nas.io.formats.json_reader import parse_json
from pyg_nas.io.regular_files import AnyPath, Failure, check_regular

HDF5_SUFFIXES = (".hdf5", ".h5")
"""Endings of the names of HDF5 files."""

# Deflate makes at most 1,032 bytes of one; shuffle and checksums do not change the size.
_MOST_INFLATION = 1_032
_LZF = 32_000  # registered by h5py
_MOST_HEADER_BYTES = 60_000
_MOST_CHUNK_BYTES = 64 * 2**20
_READ_BYTES = 64 * 2**20


@contextmanager
def open_hdf5(path: AnyPath, failure: Failure = SettingsError) -> Iterator[Any]:
    """Yield an ``h5py.File`` for reading; damage that h5py reports becomes one clear error.

    Raises:
        failure: If it is not a regular file, or a part that was read is damaged.
    """
    import h5py

    check_regular(path, failure)
    try:
        with h5py.File(path, "r") as file:
            yield file
    except PygNasError:
        raise
    except (OSError, RuntimeError, ValueError, TypeError, KeyError, MemoryError) as error:
        # h5py reports damage in all of these.
        raise failure(f"{path}: not a readable HDF5 file ({one_line(error)})") from error


@contextmanager
def new_hdf5(path: AnyPath) -> Iterator[Any]:
    """Yield a new ``h5py.File``, which is then written to ``path`` completely or not at all."""
    import h5py

    whole = io.BytesIO()  # in memory first: HDF5 crashes the process if the disk is full
    with h5py.File(whole, "w") as file:
        yield file
    with atomic_path(path) as temporary:
        temporary.write_bytes(whole.getbuffer())


def has_name(file: Any, name: str) -> bool:
    """Return whether an open file has an entry of a name, also if it is a link to another file.

    ``name in file`` would open that other file.
    """
    return file.get(name, getlink=True) is not None


def names_in(file: Any, group: str) -> list[str]:
    """Return the names ``group/NAME`` of the entries of a group; none if there is no such group.

    Raises:
        SettingsError: If the group is a link, or is no group.
    """
    if not has_name(file, group):
        return []
    _check_group(file, group)
    return [f"{group}/{name}" for name in file[group]]


def _check_group(file: Any, name: str) -> None:
    import h5py

    if not has_name(file, name) or not isinstance(_unlinked(file, name), h5py.Group):
        raise SettingsError(f"{name!r} must be a group of this file")


def _unlinked(file: Any, name: str) -> Any:
    import h5py

    link = file.get(name, getlink=True)
    if not isinstance(link, h5py.HardLink):
        other = getattr(link, "filename", None)
        target = "another dataset" if other is None else f"the file {other!r}"
        raise SettingsError(f"{name!r} is a link to {target}, which is not followed")
    return file.get(name)


def stored_dataset(file: Any, name: str) -> Any:
    """Return a dataset of an open file, all of whose values must be stored in that file.

    Raises:
        SettingsError: If it is missing, is a link, is stored in another file, is composed of
            other datasets, has a filter other than gzip and lzf, or has fewer bytes in the file
            than its shape needs.
    """
    import h5py

    group, _, _ = name.rpartition("/")
    if group:
        _check_group(file, group)
    if not has_name(file, name):
        raise SettingsError(f"the dataset {name!r} is missing")
    dataset = _unlinked(file, name)
    if not isinstance(dataset, h5py.Dataset):
        raise SettingsError(f"{name!r} is not a dataset")
    if dataset.is_virtual:
        raise SettingsError(f"{name!r} is a virtual dataset, which is not followed")
    if dataset.external:
        raise SettingsError(f"{name!r} is stored in other files, which are not read")
    if dataset.shape is None:
        raise SettingsError(f"{name!r} is empty")
    _check_stored(dataset, name)
    return dataset


def _check_stored(dataset: Any, name: str) -> None:
    """Check that every value of a dataset is in the file."""
    from h5py import h5z

    needed = prod(dataset.shape) * dataset.dtype.itemsize
    stored = dataset.id.get_storage_size()
    if dataset.chunks is None:
        if dataset.dtype.kind != "O" and stored < needed:
            raise SettingsError(f"{name!r} needs {needed:,} bytes, {stored:,} are stored")
        return
    filters = dataset.id.get_create_plist()
    kinds = {filters.get_filter(i)[0] for i in range(filters.get_nfilters())}
    if not kinds <= {h5z.FILTER_DEFLATE, _LZF, h5z.FILTER_SHUFFLE, h5z.FILTER_FLETCHER32}:
        raise SettingsError(f"{name!r} must be compressed with gzip or lzf, or not at all")
    if prod(dataset.chunks) * dataset.dtype.itemsize > max(needed, _MOST_CHUNK_BYTES):
        raise SettingsError(
            f"{name!r} is stored in chunks of the impossible shape {dataset.chunks}"
        )
    chunks = prod(
        ceil(length / chunk) for length, chunk in zip(dataset.shape, dataset.chunks, strict=True)
    )
    if needed > stored * _MOST_INFLATION or dataset.id.get_num_chunks() < chunks:
        raise SettingsError(
            f"{name!r} has the shape {dataset.shape}, but not all of its values are stored"
        )


def read_stored(
    datasets: Mapping[str, Any], types: Mapping[str, np.dtype[Any]], most_bytes: int
) -> dict[str, NDArray[Any]]:
    """Return :func:`stored_dataset`'s results as arrays in these types, by name.

    Raises:
        SettingsError: If they need more than ``most_bytes`` together, which is checked before any
            value is read; or if a whole number is outside the range of its type.
    """
    needed = sum(dataset.size * types[name].itemsize for name, dataset in datasets.items())
    if needed > most_bytes:
        raise SettingsError(f"claims {needed:,} bytes, at most {most_bytes:,} are read")
    return {name: _in_type(name, dataset, types[name]) for name, dataset in datasets.items()}


def _in_type(name: str, dataset: Any, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Read a dataset block by block in a type that may be narrower than the file's."""
    if not dataset.shape:
        raise SettingsError(f"{name} must be an array, it is one value")
    values = np.empty(dataset.shape, dtype)
    rows = max(1, _READ_BYTES // max(1, dataset.dtype.itemsize * prod(dataset.shape[1:])))
    for start in range(0, len(dataset), rows):
        stored = dataset[start : start + rows]
        block = values[start : start + rows]
        with np.errstate(over="ignore"):  # an infinity is for the caller to refuse
            block[:] = stored.astype(dtype, copy=False)
        if stored.dtype.kind in "iu" and not np.array_equal(block, stored):
            raise SettingsError(f"{name} has values outside the range of {dtype}")
    return values


def write_text_attribute(file: Any, name: str, text: str) -> None:
    """Write an ASCII text as an attribute of an open file."""
    # Of fixed length if it fits into an object header: HDF5 stores other strings in a heap, and a
    # damaged heap can make it loop for ever.
    file.attrs[name] = np.bytes_(text) if len(text) < _MOST_HEADER_BYTES else text


def json_attribute(file: Any, name: str) -> Any:
    """Return the JSON value of a text attribute of an open file; None if it has none.

    Raises:
        SettingsError: If it is not text, or as :func:`~pyg_nas.io.formats.json_reader.parse_json`.
    """
    raw = file.attrs.get(name)
    if raw is None:
        return None
    if not isinstance(raw, (str, bytes)):
        raise SettingsError(f"attribute {name!r} must be text, got {type(raw).__name__}")
    try:
        return parse_json(raw)
    except SettingsError as error:
        raise SettingsError(f"attribute {name!r}: {error}") from None
