from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyg_nas.errors import SettingsError
from pyg_nas.io.text import check_text, counted, folder_name, milliseconds, percent, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("conv 3×3 名前 émoji 👩‍🔬", "conv 3×3 名前 émoji 👩‍🔬"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("two\nlines\t\r", "two\\nlines\\t\\r"),
        ("\u202eevil\u2066", "\\u202eevil\\u2066"),
        ("\udcff", "\\udcff"),
        ("\x9b31m", "\\x9b31m"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_only_what_is_no_plain_text_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_other_values_are_shown_as_their_text() -> None:
    assert printable(None) == "None"
    assert printable(b"\x1b") == "b'\\x1b'"


@given(st.text(st.characters(exclude_categories=[])))
def test_any_text_can_be_encoded_and_stand_in_xml(text: str) -> None:
    shown = printable(text)
    shown.encode("utf-8")
    element = ElementTree.fromstring(f"<a>{escape(shown)}</a>")
    assert (element.text or "") == shown
    assert printable(shown) == shown


def test_a_name_that_cannot_be_stored_is_refused() -> None:
    check_text("split", "größe\x1b.txt")
    with pytest.raises(SettingsError, match=r"split 'b\\udcff.txt' must be UTF-8 text"):
        check_text("split", "b\udcff.txt")


def test_one_of_a_thing_is_in_the_singular() -> None:
    shown = [counted(number, "run") for number in (0, 1, 2, 1200)]
    assert shown == ["0 runs", "1 run", "2 runs", "1,200 runs"]
    assert [counted(n, "class", "classes") for n in (1, 2)] == ["1 class", "2 classes"]


def test_percent() -> None:
    assert [percent(0.95), percent(0.0523, 1), percent(1)] == ["95 %", "5.2 %", "100 %"]


def test_latencies_are_in_milliseconds() -> None:
    assert [milliseconds(seconds) for seconds in (0.001736, 1.5)] == ["1.74 ms", "1500.00 ms"]


@pytest.mark.parametrize(("path", "name"), [(".", "b"), ("..", "a"), ("c/d/", "d"), ("/x/y", "y")])
def test_every_folder_has_a_name(
    path: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")
    assert folder_name(Path(path)) == name
