"""Functions compiled to machine code by Numba: loops too small or too irregular for array calls.

Every compiled path calls :func:`compiled_enabled` first and imports its kernels only then: the
package works without Numba, and ``PYG_NAS_ENGINE=torch`` makes it ignore an installed one.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pyg_nas.errors import SettingsError

Floats = NDArray[np.float32]
Integers = NDArray[np.integer[Any]]

_log = logging.getLogger(__name__)

_Function = TypeVar("_Function", bound=Callable[..., Any])

ENGINE_VARIABLE = "PYG_NAS_ENGINE"
"""Environment variable: ``auto`` (the default) or ``torch``, which switches compiled code off."""

FEWEST_COMPILED = 5_000
"""Cells from which on compiled code saves more time than Numba and the code take to load."""

_ENGINES = ("auto", "torch")

# Sums may be reordered, which vector registers need; NaN and infinity keep their meaning.
_FLOATS = {"contract", "reassoc", "nsz", "arcp"}


def compiled_enabled() -> bool:
    """Return whether compiled code may be used: Numba can be imported and is not switched off.

    Raises:
        SettingsError: If the environment variable ``PYG_NAS_ENGINE`` has an unknown value.
    """
    engine = os.environ.get(ENGINE_VARIABLE, "auto")
    if engine not in _ENGINES:
        raise SettingsError(f"{ENGINE_VARIABLE} must be {' or '.join(_ENGINES)}, got {engine!r}")
    return engine == "auto" and _numba_works()


def compiled_loaded(count: int) -> bool:
    """Whether to use compiled code that saves less time than the import of Numba takes.

    That is where Numba is imported already, and ``count`` cells are enough to load the code.
    """
    return count >= FEWEST_COMPILED and "numba" in sys.modules and compiled_enabled()


@cache
def _numba_works() -> bool:
    try:
        import numba  # noqa: F401
    except ImportError as error:
        warnings.warn(f"slower torch code replaces compiled code: {error}", stacklevel=3)
        return False
    _log_first_compilation()
    return True


def _log_first_compilation() -> None:
    """Log the first compilation of the process; loading a stored result does not count."""
    from numba.core import event

    class FirstCompilation(event.Listener):  # type: ignore[misc]
        logged = False

        def on_start(self, event: object) -> None:
            if not self.logged:
                self.logged = True
                _log.info(
                    "compiling machine code for its first use, which later commands load (up to a "
                    "minute)"
                )

        def on_end(self, event: object) -> None:
            pass

    event.register("numba:compile", FirstCompilation())


@cache
def _warn_unstored() -> None:
    _log.warning(
        "machine code cannot be stored, so that every command compiles again: set NUMBA_CACHE_DIR "
        "to a folder that can be written to"
    )


def one_type(array: Integers, dtype: type[np.integer[Any]] = np.int64) -> NDArray[Any]:
    """Return integers in C order, of a type and read-only, for Numba compiles again for others."""
    given: NDArray[Any] = np.ascontiguousarray(array, dtype=dtype).view()
    given.flags.writeable = False
    return given


def compiled(function: _Function) -> _Function:
    """Compile ``function`` at its first call, without Python's lock, and store the result on disk.

    The stored result is invalidated only by a change of the function's own file: a kernel must
    not call kernels of other files, and may use only constants of theirs that never change.
    Numba reads the classes of stored arguments before it looks for a change: a ``NamedTuple`` that
    a kernel receives is renamed or removed only together with the kernel's name, or users who have
    the stored result get an ``AttributeError``.

    A kernel contains the kernels that it calls. The process that compiles would else call those
    that are compiled on their own, which round differently from the copies stored with a caller.
    """
    import numba

    options = {"nogil": True, "fastmath": _FLOATS, "error_model": "numpy", "forceinline": True}
    try:
        result: _Function = numba.njit(cache=True, **options)(function)
    except RuntimeError:
        # Numba found no folder to write to: neither beside the package nor in the user's cache.
        _warn_unstored()
        result = numba.njit(**options)(function)
    return result
