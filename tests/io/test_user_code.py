from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pyg_nas.errors import SettingsError
from pyg_nas.io.user_code import absolute_reference, object_named


def test_an_object_of_a_file_or_module_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "users_objects.py"
    path.write_text("BOX = [1]\n")
    monkeypatch.chdir(tmp_path)
    found = object_named("users_objects.py:BOX")
    assert found == [1]
    assert object_named(f"{path}:BOX") is found  # run once
    assert object_named("users_objects:BOX") is found
    del sys.modules["users_objects"]
    assert object_named("math:pi") == pytest.approx(3.14159, abs=1e-5)


@pytest.mark.parametrize(
    ("content", "name", "why"),
    [
        (None, "BOX", "no such file"),
        ("BOX = 1", "BAG", "has no attribute 'BAG'"),
        ("BOX = (", "BOX", "never closed"),
        ("raise RuntimeError('two\\nlines')", "BOX", "two lines"),
    ],
)
def test_what_cannot_be_imported_is_named(
    content: str | None, name: str, why: str, tmp_path: Path
) -> None:
    path = tmp_path / "users_wrong_objects.py"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SettingsError, match=rf"{path}:{name}: cannot be imported \(.*{why}"):
        object_named(f"{path}:{name}")
    sys.modules.pop("users_wrong_objects", None)


def test_a_reference_is_the_same_from_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute_reference("a/b.py:C") == f"{tmp_path}/a/b.py:C"
    assert absolute_reference("package.module:C") == "package.module:C"
