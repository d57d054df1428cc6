from __future__ import annotations

import sys

import pytest

from pyg_nas.errors import SettingsError
from pyg_nas.io.arrow import import_pyarrow


def test_the_file_format_is_imported_too() -> None:
    pytest.importorskip("pyarrow")
    assert callable(import_pyarrow().ipc.open_file)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(SettingsError, match=r"pip install '\.\[arrow\]' in a clone"):
        import_pyarrow()
