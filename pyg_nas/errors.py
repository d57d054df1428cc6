"""The errors that a user's input can cause.

Every one derives from :class:`PygNasError`; the command line prints its message and exits with
code 2. Each message names the thing, its value and the rule that it breaks, on one line; lists of
networks have one more for each that is refused.
"""

from __future__ import annotations

import numbers
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray


class PygNasError(Exception):
    """Base of all errors whose cause is the input, not the program."""


class CellError(PygNasError, ValueError):
    """A graph is not a cell of its search space."""


class SpaceError(PygNasError, ValueError):
    """A search space is described inconsistently, or an operation does not belong to it."""


class TableError(PygNasError, ValueError):
    """A table is truncated, of another format or inconsistent, or lacks the requested values."""


class RecordError(PygNasError, ValueError):
    """A TFRecord file is damaged or contains something other than NAS-Bench records."""


class ModelError(PygNasError, ValueError):
    """A model folder is incomplete, damaged, or does not fit the cells it is given."""


class SettingsError(PygNasError, ValueError):
    """An option or a settings file has a value outside its rule."""


class DivergedError(SettingsError):
    """The loss of a training run is not finite any more: the learning rate is too high."""


class MeasureError(PygNasError, RuntimeError):
    """Cells could not be measured: a task, a journal or a worker failed."""


class BackendError(MeasureError):
    """A backend is not installed, or its workers cannot be started."""


class NetworkError(PygNasError, ValueError):
    """A PyTorch module or ONNX file cannot be read as a graph of operations."""


class NetworksError(NetworkError):
    """Several networks of a list cannot be read.

    Args:
        heading: How many they are.
        refused: The message on each.
    """

    def __init__(self, heading: str, refused: Sequence[str]) -> None:
        super().__init__(heading, refused)
        self.heading = heading
        self.refused = tuple(refused)

    def __str__(self) -> str:
        return "\n  ".join([self.heading, *self.refused])


class DownloadError(PygNasError, RuntimeError):
    """A file could not be downloaded, or its size or checksum is not the expected one."""


def check_count(name: str, value: object, most: int | None = None, least: int = 1) -> None:
    """Check a whole number, by default one that is counted from 1.

    Raises:
        SettingsError: If it is no whole number, below ``least`` or above ``most``.
    """
    if not isinstance(value, numbers.Integral):
        raise SettingsError(f"{name} must be a whole number, got {quoted(value)}")
    number = int(value)
    if number < least or (most is not None and number > most):
        limit = "" if most is None else f" and at most {most:,}"
        raise SettingsError(f"{name} must be at least {least}{limit}, got {value}")


def argument(name: str) -> str:
    """Return how a message names an argument, of which :func:`with_options` makes an option."""
    return f"the argument `{name}`"


def with_options(message: str) -> str:
    """Return a message as a command prints it: ``--name`` in place of each :func:`argument`."""
    return re.sub(argument(r"(\w+)"), lambda found: f"--{found[1].replace('_', '-')}", message)


def first_repeated(values: Iterable[Any]) -> tuple[Any, int, int] | None:
    """Return the first value that is repeated and its two positions, from 0; or None."""
    places: dict[Any, int] = {}
    for place, value in enumerate(values):
        if value in places:
            return value, places[value], place
        places[value] = place
    return None


def first_true(mask: NDArray[np.bool_]) -> int | None:
    """Return the position of the first True of ``mask`` ``[N]``, or None."""
    return int(mask.argmax()) if mask.any() else None


def first_difference(name: str, before: Any, asked: Any) -> tuple[str, Any, Any]:
    """Return the name and the values of the first setting that differs in nested objects."""
    if isinstance(before, dict) and isinstance(asked, dict):
        for key in sorted(before.keys() | asked.keys()):
            if before.get(key) != asked.get(key):
                inner = f"{name}.{key}" if name else key
                return first_difference(inner, before.get(key), asked.get(key))
    return name, before, asked


def quoted(value: object, most: int = 80) -> str:
    """Return a value as a message shows it, cut to ``most`` characters."""
    try:
        text = repr(value)
    except Exception:  # of a user's class
        text = f"<{type(value).__name__}>"
    return text if len(text) <= most else f"{text[: most - 3]}..."


def listed(names: Iterable[object], most: int = 20) -> str:
    """Return names as a message lists them: the first ``most``, and how many more there are.

    Each is cut to 200 characters.
    """
    texts = [text if len(text := str(name)) <= 200 else f"{text[:197]}..." for name in names]
    if len(texts) <= most:
        return ", ".join(texts) or "none"
    return f"{', '.join(texts[:most])} and {len(texts) - most:,} more"


def needs_extra(what: str, extra: str) -> str:
    """Return a message on packages that are not installed, which ends in how to install them.

    Args:
        what: What needs which package: the beginning of the message.
        extra: The extra of this package that installs them.
    """
    return f"{what}: pip install '.[{extra}]' in a clone of pyg_nas"


def one_line(error: BaseException) -> str:
    """Return another library's message on one line, to be quoted in a message of this package.

    An error without a message is named by its class.
    """
    try:
        text = " ".join(str(error).split())[:300]
    except Exception:  # of a user's class
        text = ""
    return text or type(error).__name__
