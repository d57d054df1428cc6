"""Files written completely or not at all, checks of output paths, and the cache folder."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any

from pyg_nas.errors import PygNasError, SettingsError

# Age after which an unlocked temporary file counts as abandoned: longer than the time between
# its creation and its locking.
_STALE_SECONDS = 1.0
_STALE_SECONDS_WITHOUT_LOCKS = 86_400.0


@contextmanager
def atomic_path(target: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside ``target`` and rename it to ``target`` when the block ends.

    If the block raises, the temporary file is removed and ``target`` stays as it was. Two
    processes may write one target at once: each has its own temporary file, and the last rename
    counts. Temporary files of killed processes are removed.

    Raises:
        OSError: If the file cannot be written; the error names ``target``.
    """
    target = Path(target)
    if target.exists() and not target.is_file():  # renaming would replace a device by a file
        raise OSError(errno.EINVAL, "Is no file that can be replaced", str(target))
    temporary = target.with_name(f"{_stem(target)}-{secrets.token_hex(6)}.part{target.suffix}")
    with naming(target, temporary, *target.parents):
        target.parent.mkdir(parents=True, exist_ok=True)
        remove_abandoned(target)
        # Opened by hand rather than by mkstemp, whose 0600 would hide the file from everybody but
        # its owner; the umask cannot be read without setting it, which another thread would notice.
        held = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    try:
        with suppress(OSError):
            _lock(held)  # until it is closed, also by the end of the process
        with naming(target, temporary):
            yield temporary
            temporary.replace(target)
    finally:
        os.close(held)
        temporary.unlink(missing_ok=True)


def remove_abandoned(target: Path) -> None:
    """Remove the temporary files of killed processes that wrote a file with :func:`atomic_path`."""
    for left in target.parent.glob(f"{_stem(target)}-*.part*"):
        with suppress(OSError):  # another process may have removed it, or the folder be read-only
            if _is_abandoned(left):
                left.unlink()


def _stem(target: Path) -> str:
    """Return the short start of temporary names, as the target's name may have the full length."""
    return f".{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:8]}"


@contextmanager
def atomic_folder(target: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary folder beside ``target`` and rename it to ``target`` when the block ends.

    If the block raises, the temporary folder is removed and there is no ``target``. Temporary
    folders of killed processes are removed.

    Raises:
        OSError: If the folder cannot be written, or ``target`` exists and is not an empty folder.
    """
    target = Path(target)
    stem = _stem(target)
    temporary = target.with_name(f"{stem}-{secrets.token_hex(6)}.folder")
    with naming(target, temporary, *target.parents):
        target.parent.mkdir(parents=True, exist_ok=True)
        for left in target.parent.glob(f"{stem}-*.folder"):
            with suppress(FileNotFoundError):
                if _is_abandoned(left):
                    shutil.rmtree(left, ignore_errors=True)
        temporary.mkdir()
    held = None
    try:
        with suppress(OSError):  # a folder cannot be opened, or locked, everywhere
            held = os.open(temporary, os.O_RDONLY)
            _lock(held)
        with naming(target, temporary):
            yield temporary
            with suppress(FileNotFoundError):
                target.rmdir()  # an existing empty folder; another one raises
            temporary.replace(target)
    finally:
        if held is not None:
            os.close(held)
        shutil.rmtree(temporary, ignore_errors=True)


def _lock(file: int) -> None:
    """Lock an open file; raise OSError also if the system or the disk has no locks."""
    try:
        import fcntl
    except ImportError:
        raise OSError(errno.ENOSYS, "no file locks") from None
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_abandoned(temporary: Path) -> bool:
    """Whether the process that made a temporary file has ended."""
    age = time.time() - temporary.stat().st_mtime
    if age <= _STALE_SECONDS:
        return False
    try:
        file = os.open(temporary, os.O_RDONLY)
    except PermissionError:
        return False
    try:
        _lock(file)
    except BlockingIOError:
        return False
    except OSError:
        return age > _STALE_SECONDS_WITHOUT_LOCKS
    finally:
        os.close(file)
    return True


@contextmanager
def naming(target: Path, *others: Path) -> Iterator[None]:
    """Let errors that name no file, or one of ``others``, name ``target``."""
    try:
        yield
    except OSError as error:
        # An error of a write names no file; an error of another file that the caller reads does.
        named = error.filename is None or str(error.filename) in map(str, others)
        if named and error.errno is not None:
            raise OSError(error.errno, error.strerror, str(target)) from error
        raise


def write_text(target: str | os.PathLike[str], text: str) -> None:
    """Write ``text`` as UTF-8 to ``target``, completely or not at all."""
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(target: str | os.PathLike[str], value: Any) -> None:
    """Write a JSON value to ``target``, completely or not at all; it is on the disk at the end.

    Raises:
        ValueError: If a number is NaN or infinite, which readers refuse; nothing is written.
    """
    text = json.dumps(value, indent=2, allow_nan=False) + "\n"
    with atomic_path(target) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        # Other files of its folder are useless without it after a power cut.
        os.fsync(file.fileno())


def check_output(path: str | os.PathLike[str], *inputs: str | os.PathLike[str] | None) -> None:
    """Check that an output file can be written, before the work that produces it.

    Args:
        path: The output file.
        inputs: Files that the work reads, and folders whose files it reads at any depth.

    Raises:
        SettingsError: If ``path`` is a folder, a pipe, a device or one of the inputs, or cannot
            be created.
    """
    path = Path(path)
    if path.is_dir():
        raise SettingsError(f"{path}: is a folder, a file is needed")
    if path.exists() and not path.is_file():
        raise SettingsError(f"{path}: is a pipe or a device, a file is needed")
    _check_writable(path, path.absolute().parents)
    for given in (Path(given) for given in inputs if given is not None):
        if path.exists() and given.exists():
            # All files of a folder are read; its subfolders may be links to folders elsewhere.
            read = chain(given.rglob("*"), given.glob("*/*")) if given.is_dir() else [given]
            if any(file.exists() and path.samefile(file) for file in read):
                raise SettingsError(f"{path}: is read by this command, it cannot be the output too")


def check_input_folder(
    path: str | os.PathLike[str], failure: type[PygNasError] = SettingsError
) -> None:
    """Check that a folder exists.

    Raises:
        failure: If there is nothing at ``path``, or it is a file.
    """
    if not Path(path).is_dir():
        reason = "is a file, a folder is needed" if Path(path).exists() else "no such folder"
        raise failure(f"{os.fspath(path)}: {reason}")


_OF_SYSTEMS = frozenset(
    {"lost+found", "system volume information", "$recycle.bin", "recycler", "#recycle", "@eadir",
     "__macosx", "__pycache__"}
)  # fmt: skip


def is_visible(name: str) -> bool:
    """Return whether a file or folder of this name is the user's.

    Names that begin with a dot are not, nor folders of operating systems, which may be at the root
    of a disk, in an archive or in a shared folder, where they have copies of images.
    """
    return not name.startswith(".") and name.lower() not in _OF_SYSTEMS


def visible_files(folder: Path, failure: type[PygNasError] = SettingsError) -> list[Path]:
    """Return the files in a folder and below, sorted, whose names :func:`is_visible` accepts.

    Links to folders are followed after all folders that are no links, except to folders that are
    already listed or contain ``folder``.

    Raises:
        failure: If a folder cannot be read, whose files would be missing unnoticed.
    """

    def refuse(error: OSError) -> None:
        raise failure(f"{error.filename}: cannot be read ({error.strerror})") from None

    found: list[Path] = []
    seen = set(folder.resolve().parents)
    waiting = [folder]
    while waiting:
        for place, folders, names in os.walk(waiting.pop(0), onerror=refuse):
            here = Path(place)
            if here.resolve() in seen:
                folders.clear()
                continue
            seen.add(here.resolve())
            folders[:] = sorted(filter(is_visible, folders))
            waiting += [here / name for name in folders if (here / name).is_symlink()]
            found += [here / name for name in filter(is_visible, names)]
    return sorted(found)


def check_output_folder(path: str | os.PathLike[str]) -> None:
    """Check that files can be written to the folder ``path``, which is created if missing.

    Raises:
        SettingsError: If ``path`` is empty or a file, or cannot be created or written to.
    """
    if not os.fspath(path):
        raise SettingsError("the name of the folder is empty")
    path = Path(path)
    if path.exists() and not path.is_dir():
        raise SettingsError(f"{path}: is a file, a folder is needed")
    _check_writable(path, [path.absolute(), *path.absolute().parents])


def _check_writable(path: Path, folders: Sequence[Path]) -> None:
    nearest = next(folder for folder in folders if folder.exists() or folder.is_symlink())
    if not nearest.exists():
        raise SettingsError(f"{path}: {nearest} is a link to a folder that does not exist")
    if not nearest.is_dir():
        raise SettingsError(f"{path}: {nearest} is a file, not a folder")
    if not os.access(nearest, os.W_OK):
        raise SettingsError(f"{path}: the folder {nearest} cannot be written to")


def cache_folder() -> Path:
    """Return the folder of recomputable files: ``$PYG_NAS_CACHE`` or the user's cache folder."""
    chosen = os.environ.get("PYG_NAS_CACHE")
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "pyg_nas"
