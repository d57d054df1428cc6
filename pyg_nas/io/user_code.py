"""Objects of the user's own code, named as ``module:NAME`` or ``path/to/file.py:NAME``.

Only for names that the user types, because the code is run. Never pass names that were read from
files.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pyg_nas.errors import PygNasError, SettingsError, one_line
from pyg_nas.io.limits import MOST_SETTINGS_BYTES
from pyg_nas.io.regular_files import Failure, check_regular
from pyg_nas.io.text import check_text

_files: set[str] = set()  # of the modules that the user has named


def object_named(reference: str) -> Any:
    """Return the object of ``module:NAME`` or ``path/to/file.py:NAME``.

    The module is imported, and may be in the working folder.

    Raises:
        SettingsError: If it cannot be imported, has no such name or is not UTF-8 text.
    """
    check_text("name of code", reference)
    here = str(Path.cwd())
    if here not in sys.path:  # as `python -m` has it; at the end, so that it hides no package
        sys.path.append(here)
    try:
        found = imported(reference)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a user's module may raise anything
        raise SettingsError(f"{reference}: cannot be imported ({error_text(error)})") from error
    file = getattr(sys.modules.get(_module_name(reference)), "__file__", None)
    if file is not None:
        _files.add(file)
    return found


@contextmanager
def user_call(what: str, failure: Failure = SettingsError) -> Iterator[None]:
    """Convert any error of the block, which calls the user's code, also ``sys.exit``, to one error.

    Args:
        what: Name of the failing thing, the beginning of the message.
        failure: Class of the error.

    Raises:
        failure: If the block raises anything.
    """
    try:
        yield
    except (Exception, SystemExit) as error:
        raise failure(f"{what}: {user_failure(error) or error_text(error)}") from error


def user_failure(error: BaseException) -> str | None:
    """Return the error of the user's code and its line; None for an error of other code."""
    line = user_line(error)
    return f"{line}: {error_text(error)}" if line else None


def user_line(error: BaseException) -> str | None:
    """Return the last line of the user's code that an error passed; None if there is none."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename in _files:
            return f"{Path(frame.filename).name}, line {frame.lineno}"
    return None


def error_text(error: BaseException) -> str:
    """Return the class and the message of an error, on one line."""
    kind, text = type(error).__name__, one_line(error)
    if isinstance(error, PygNasError):  # for readers of the message, its class says nothing
        return text
    return kind if text == kind else f"{kind}: {text}"


def imported(reference: str) -> Any:
    """Return the object of ``module:NAME`` or ``path/to/file.py:NAME``; any error is passed on."""
    module_name, _, name = reference.rpartition(":")
    if module_name.endswith(".py"):
        return getattr(_file_module(Path(module_name)), name)
    return getattr(importlib.import_module(module_name), name)


def absolute_reference(reference: str) -> str:
    """Return ``file.py:NAME`` with the whole path, and ``module:NAME`` as it is, to be stored.

    Raises:
        SettingsError: If the path is not UTF-8 text.
    """
    place, _, name = reference.rpartition(":")
    whole = f"{Path(place).absolute()}:{name}" if place.endswith(".py") else reference
    check_text("name of code", whole)
    return whole


def _module_name(reference: str) -> str:
    name = reference.rpartition(":")[0]
    return Path(name).stem if name.endswith(".py") else name


def _file_module(path: Path) -> Any:
    """The module of a file; imported once, so that its classes are the same at each call."""
    resolved = path.resolve()
    for module in list(sys.modules.values()):
        if getattr(module, "__file__", None) == str(resolved):
            return module
    spec = importlib.util.spec_from_file_location(resolved.stem, resolved)
    if check_regular(path) > MOST_SETTINGS_BYTES or spec is None or spec.loader is None:
        raise ImportError(f"no Python file of at most {MOST_SETTINGS_BYTES:,} bytes")
    if resolved.stem in sys.modules:
        raise ImportError(f"a module named {resolved.stem!r} is imported already; rename the file")
    module = importlib.util.module_from_spec(spec)
    # By its name, as pickle looks it up.
    sys.modules[resolved.stem] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[resolved.stem]
        raise
    return module
