"""What a search writes, reads back, and refuses."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from filelock import FileLock

from pyg_nas.data.tables.table import Table
from pyg_nas.errors import SettingsError
from pyg_nas.io.files import atomic_path
from pyg_nas.search.ask_tell import Search
from pyg_nas.search.evaluators.table import TableEvaluator
from pyg_nas.search.loop import search
from pyg_nas.search.methods.strategies import (
    PredictorSearch,
    RandomSearch,
)
from pyg_nas.search.search_folder.folder import QUERIES, SearchFolder
from pyg_nas.search.search_folder.ledger import Ledger
from pyg_nas.search.search_folder.settings import SearchSettings
from tests.search.conftest import SMALL
from tests.search.predictors import linear
from tests.search.samples import hashes


def test_records_without_batches_are_of_full_ones(partial_table: Table, tmp_path: Path) -> None:
    evaluator = TableEvaluator(partial_table)
    folder = SearchFolder(tmp_path, {}, SMALL)
    strategy = PredictorSearch(linear, n=15, k=6)
    search(strategy, evaluator, 23, folder=folder)
    path = tmp_path / QUERIES
    records = [json.loads(line) for line in path.read_text().splitlines()]
    for record in records:
        del record["batch"]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    resumed = search(strategy, evaluator, 40, folder=folder)
    assert hashes(resumed) == hashes(search(strategy, evaluator, 40))


def test_a_folder_is_for_one_search(partial_table: Table, tmp_path: Path) -> None:
    SearchFolder(tmp_path, {"seed": 1, "n": [1]}, SMALL)
    SearchFolder(tmp_path, {"seed": 1, "n": (1,)}, SMALL)
    with pytest.raises(SettingsError, match="seed = 1, 2 was requested"):
        SearchFolder(tmp_path, {"seed": 2, "n": [1]}, SMALL)
    (tmp_path / QUERIES).write_text("{}\n")
    with pytest.raises(SettingsError, match="line 1"):
        Ledger(SearchFolder(tmp_path, {"seed": 1, "n": [1]}, SMALL))


def test_what_a_process_left_that_was_killed_as_it_began_goes(tmp_path: Path) -> None:
    SearchFolder(tmp_path, {"seed": 1}, SMALL)
    with suppress(InterruptedError), atomic_path(tmp_path / "settings.json") as temporary:
        left = temporary.with_name(temporary.name.replace(".part", "0.part"))
        raise InterruptedError
    left.write_text("{")
    os.utime(left, (0, 0))
    SearchFolder(tmp_path, {"seed": 1}, SMALL)
    assert not left.exists()


def test_an_empty_name_is_not_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match="name of the folder is empty"):
        Search("", "nasbench201")
    assert not list(tmp_path.iterdir())


def test_two_that_begin_a_search_at_once_agree_on_its_settings(tmp_path: Path) -> None:
    refused: list[str] = []

    def begin() -> None:
        try:
            SearchFolder(tmp_path, {"seed": 2}, SMALL)
        except SettingsError as error:
            refused.append(str(error))

    second = Thread(target=begin)
    with FileLock(tmp_path / ".change.lock"):  # the first is about to write
        second.start()
        second.join(0.5)
        SearchSettings({"seed": 1}).write(tmp_path)
    second.join()
    assert refused == [
        f"{tmp_path}: contains a search with seed = 1, 2 was requested; choose "
        "another folder or the same settings"
    ]
    assert json.loads((tmp_path / "settings.json").read_text()) == {"seed": 1}


def test_queries_are_counted_in_a_regular_file_only(tmp_path: Path) -> None:
    folder = SearchFolder(tmp_path, {}, SMALL)
    assert folder.count() == 0
    (tmp_path / QUERIES).write_text("{}\n{}\n")
    assert folder.count() == 2
    (tmp_path / QUERIES).unlink()
    os.mkfifo(tmp_path / QUERIES)
    with pytest.raises(SettingsError, match="is a named pipe"):
        folder.count()


def test_a_larger_budget_is_written_when_the_folder_is_free(
    partial_table: Table, tmp_path: Path
) -> None:
    def stored() -> Any:
        return json.loads((tmp_path / "settings.json").read_text())

    small = SearchFolder(tmp_path, {"seed": 1, "budget": 5}, SMALL)
    large = SearchFolder(tmp_path, {"seed": 1, "budget": 8}, SMALL)
    with small.locked(), pytest.raises(SettingsError, match="another search"), large.locked():
        pass
    assert stored()["budget"] == 5
    with large.locked():
        assert stored() == {"seed": 1, "budget": 8}
    with pytest.raises(SettingsError, match=r"in all = 8, 5 was requested; .* more architectures"):
        SearchFolder(tmp_path, {"seed": 1, "budget": 5}, SMALL)
    with pytest.raises(SettingsError, match="in all = 8, 5 was requested"), small.locked():
        pass
    assert stored()["budget"] == 8
    with pytest.raises(SettingsError, match="seed = 1, 2 was requested"):
        SearchFolder(tmp_path, {"seed": 2, "budget": 9}, SMALL)


def test_two_searches_never_share_a_folder(partial_table: Table, tmp_path: Path) -> None:
    evaluator = TableEvaluator(partial_table)
    folders = [SearchFolder(tmp_path / "run", {"seed": 1}, SMALL) for _ in range(2)]
    with folders[0].locked():
        with pytest.raises(SettingsError, match="another search is at work in this folder"):
            search(RandomSearch(), evaluator, 5, 1, folder=folders[1])
        search(RandomSearch(), evaluator, 5, 1, folder=folders[0])
    assert len(search(RandomSearch(), evaluator, 8, 1, folder=folders[1]).history) == 8


def test_every_query_is_on_disk_before_the_next_one_is_asked(
    whole_table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[int] = []
    folder = SearchFolder(tmp_path, {}, SMALL)
    monkeypatch.setattr(os, "fsync", lambda _: lines.append(folder.count()))
    search(RandomSearch(), TableEvaluator(whole_table), 3, folder=folder)
    # Each is proposed, handed out and answered.
    assert lines == [0, 0, 1, 1, 1, 2, 2, 2, 3]
