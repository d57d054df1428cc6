from __future__ import annotations

import json
from pathlib import Path

import pytest

from pyg_nas.report.search_facts import SearchFacts
from pyg_nas.report.search_summary import write_search_summary
from pyg_nas.search.constraints import Constraints
from pyg_nas.search.history import History
from pyg_nas.search.result import SearchResult
from pyg_nas.search.search_folder.settings import SearchSettings

HOSTILE = "``` </pre> |*_$x$ \x1b[31m\u202e\udcff"
EMPTY = SearchFacts(SearchResult(History(), Constraints(), None))


def test_the_report_shows_the_pictures_of_its_folder(search_source: Path) -> None:
    text = (search_source / "report.md").read_text(encoding="utf-8")
    for picture in ("answer.svg", "curves.svg", "pareto-parameters.svg", "pareto-seconds.svg"):
        assert f"({picture})" in text
        assert (search_source / picture).exists()
    answer = json.loads((search_source / "answer.json").read_text())
    assert answer["answer"]["hash"] in text
    assert f"{100 * answer['answer']['accuracy']:.2f} %" in text
    assert f"| {answer['answer']['parameters']:,} |" in text
    assert "e+0" not in text.split("## Settings")[0]


def test_a_search_without_queries_has_a_report(tmp_path: Path) -> None:
    summary = write_search_summary(tmp_path, EMPTY, SearchSettings({}))
    assert summary["answer"] is None
    assert "No trained cell" in (tmp_path / "report.md").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["answer.json", "report.md"]


@pytest.mark.parametrize("depth", [3, 900])
def test_settings_of_any_names_and_depth_stay_text(tmp_path: Path, depth: int) -> None:
    nested: object = HOSTILE
    for _ in range(depth):
        nested = {HOSTILE: nested}
    write_search_summary(tmp_path, EMPTY, SearchSettings({HOSTILE: nested}))
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    settings = text.split("## Settings")[1].strip("\n")
    assert all(line.startswith("    ") for line in settings.splitlines())
    assert settings.isascii()
    assert len(text) < 10_000
