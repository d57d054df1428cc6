"""The short forms of the benchmarks, and their comparison with the committed ratios."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import pytest

from benchmarks import measurement, short

HERE = Path(short.__file__).parent


def test_every_benchmark_has_a_short_form_and_committed_ratios() -> None:
    with_main = {path.stem for path in HERE.glob("*.py") if "parsed(parser" in path.read_text()}
    assert set(short.BENCHMARKS) == with_main - {"measurement"}
    for name, (stem, read) in short.BENCHMARKS.items():
        path = HERE / "results" / f"{stem}.json"
        ratios = short.ratios_of(path, read)
        assert short.processor_of(path), name
        assert bool(ratios) == path.exists(), name
        assert all(value > 0 for value in ratios.values()), name


def test_what_fell_by_more_than_a_fifth_is_marked() -> None:
    rows = short.compared(
        {"a": 7.9, "b": 8.1, "c": 20.0, "new": 1.0}, {"a": 10.0, "b": 10.0, "c": 10.0}
    )
    assert [row[-1] for row in rows] == ["fell", "", "", ""]
    assert rows[0] == ["a", "7.90", "10.00", "fell"]
    assert rows[3] == ["new", "1.00", "–", ""]


@pytest.mark.parametrize(
    ("given", "repeats", "folder"),
    [
        ([], 5, measurement.RESULTS),
        (["--short"], 1, None),
        (["--short", "--repeats", "3", "--results", "here"], 3, Path("here")),
    ],
)
def test_the_short_form_changes_defaults_alone(
    given: list[str], repeats: int, folder: Path | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmark", *given])
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=5)
    found = measurement.parsed(parser, repeats=1)
    assert (found.repeats, found.results) == (repeats, folder)


def test_a_result_names_its_environment(tmp_path: Path) -> None:
    measurement.write_result("one", {"seconds": 1.0}, tmp_path / "new")
    content = json.loads((tmp_path / "new" / "one.json").read_text())
    assert content["seconds"] == 1.0
    assert content["environment"]["threads"] >= 1
    assert content["environment"]["processor"]
    measurement.write_result("two", {}, None)
    assert len(list(tmp_path.rglob("*.json"))) == 1
