from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from pyg_nas.errors import NetworkError, SettingsError
from pyg_nas.io import user_code
from pyg_nas.io.user_code import absolute_reference, object_named, user_call, user_failure

NO_TEXT = "class Silent(Exception):\n    def __str__(self):\n        return None\nraise Silent"


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
        ("import sys; sys.exit(0)", "BOX", "SystemExit: 0"),
        ("raise GeneratorExit", "BOX", "GeneratorExit"),
        (NO_TEXT, "BOX", "Silent"),
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


def test_files_that_are_no_modules_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe.py")
    with pytest.raises(SettingsError, match="named pipe"):
        object_named(f"{tmp_path}/pipe.py:BOX")
    monkeypatch.setattr(user_code, "MOST_SETTINGS_BYTES", 10)
    (tmp_path / "users_large.py").write_text("BOX = 1000")
    (tmp_path / "users_larger.py").write_text("BOX = 10000")
    assert object_named(f"{tmp_path}/users_large.py:BOX") == 1000
    with pytest.raises(SettingsError, match="no Python file of at most 10 bytes"):
        object_named(f"{tmp_path}/users_larger.py:BOX")


@pytest.mark.parametrize("error", [ValueError("no [/red]"), SystemExit(0), StopIteration()])
def test_what_a_call_raises_is_one_error(error: BaseException) -> None:
    named = pytest.raises(NetworkError, match=rf"^the call: {type(error).__name__}")
    with named, user_call("the call", NetworkError):
        raise error
    with pytest.raises(KeyboardInterrupt), user_call("the call"):
        raise KeyboardInterrupt


def test_an_error_is_the_users_where_the_users_code_raised_it(tmp_path: Path) -> None:
    path = tmp_path / "users_call.py"
    path.write_text("def call(function):\n    return function()\n")
    call = object_named(f"{path}:call")
    with pytest.raises(ZeroDivisionError) as caught:
        call(lambda: 1 / 0)
    place = "users_call.py, line 2: ZeroDivisionError"
    assert user_failure(caught.value) == f"{place}: division by zero"
    with pytest.raises(ZeroDivisionError) as caught:
        1 / 0  # noqa: B018
    assert user_failure(caught.value) is None


def test_code_whose_name_cannot_be_stored_is_refused(tmp_path: Path) -> None:
    for find in (object_named, absolute_reference):
        with pytest.raises(SettingsError, match="must be UTF-8 text"):
            find(f"{tmp_path}/b\udcff.py:score")
