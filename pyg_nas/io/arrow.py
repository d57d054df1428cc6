"""The optional package pyarrow."""

from __future__ import annotations

from typing import Any

from pyg_nas.errors import SettingsError


def import_pyarrow() -> Any:
    """Return the package ``pyarrow`` with its file format ``pyarrow.ipc``.

    Raises:
        SettingsError: If it is not installed.
    """
    try:
        import pyarrow.ipc
    except ImportError as error:
        raise SettingsError(
            "Arrow files need pyarrow: pip install '.[arrow]' in a clone of pyg_nas"
        ) from error
    return pyarrow
