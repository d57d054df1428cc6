"""Objects of the user's own code, named as ``module:NAME`` or ``path/to/file.py:NAME``.

Only for names that the user types: the code is run. Names that are read from files are never
passed on to here.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

from pyg_nas.errors import SettingsError, one_line


def object_named(reference: str) -> Any:
    """Return what ``module:NAME`` or ``path/to/file.py:NAME`` names.

    The module is imported, and may lie in the working folder.

    Raises:
        SettingsError: If it cannot be imported or has no such name.
    """
    here = str(Path.cwd())
    if here not in sys.path:  # as `python -m` has it; at the end, so that it hides no package
        sys.path.append(here)
    try:
        return imported(reference)
    except Exception as error:  # a user's module may raise anything
        raise SettingsError(f"{reference}: cannot be imported ({one_line(error)})") from error


def imported(reference: str) -> Any:
    """Return what ``module:NAME`` or ``path/to/file.py:NAME`` names; any error is passed on."""
    module_name, _, name = reference.rpartition(":")
    if module_name.endswith(".py"):
        return getattr(_file_module(Path(module_name)), name)
    return getattr(importlib.import_module(module_name), name)


def absolute_reference(reference: str) -> str:
    """Return ``file.py:NAME`` with the whole path, and ``module:NAME`` as it is."""
    place, _, name = reference.rpartition(":")
    return f"{Path(place).absolute()}:{name}" if place.endswith(".py") else reference


def _file_module(path: Path) -> Any:
    """The module of a file; imported once, so that its classes are the same at each call."""
    resolved = path.resolve()
    for module in list(sys.modules.values()):
        if getattr(module, "__file__", None) == str(resolved):
            return module
    spec = importlib.util.spec_from_file_location(resolved.stem, resolved)
    if spec is None or spec.loader is None or not resolved.is_file():
        raise FileNotFoundError(f"no such file: {path}")
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
