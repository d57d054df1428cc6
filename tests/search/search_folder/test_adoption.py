"""Folders of version 0.1, which recorded outcomes alone, are resumed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pyg_nas.data.tables.table import Table
from pyg_nas.errors import SettingsError
from pyg_nas.search.ask_tell import Search
from pyg_nas.search.evaluators.table import TableEvaluator
from pyg_nas.search.history import Query
from pyg_nas.search.loop import search
from pyg_nas.search.methods.strategies import PredictorSearch, RandomSearch
from pyg_nas.search.search_folder.folder import ASKED, QUERIES, SearchFolder
from pyg_nas.search.search_folder.records import Records
from tests.search.conftest import SMALL
from tests.search.predictors import linear
from tests.search.samples import Interrupted, hashes


def test_records_of_version_0_1_are_resumed_exactly(partial_table: Table, tmp_path: Path) -> None:
    """It recorded outcomes alone; a batch that it left unfinished is proposed again."""
    evaluator = TableEvaluator(partial_table)
    strategy = PredictorSearch(linear, n=15, k=6)
    undisturbed = search(strategy, evaluator, 40)
    own = Search(tmp_path, SMALL, strategy=strategy, domain=evaluator.domain)
    for stopped in (4, 15, 17, 21):
        queries: list[Query] = list(undisturbed.history)[:stopped]
        (tmp_path / ASKED).unlink(missing_ok=True)
        for batches in (True, False):
            records = [query.to_dict() for query in queries]
            if not batches:
                records = [{k: v for k, v in r.items() if k != "batch"} for r in records]
            text = "".join(json.dumps(record) + "\n" for record in records)
            (tmp_path / QUERIES).write_text(text)
            own = Search(tmp_path, SMALL, strategy=strategy, domain=evaluator.domain)
            while len(own.ledger.history) < 40:
                for candidate in own.ask():
                    own.tell(candidate.id, float(evaluator.evaluate(candidate.cell).accuracy))
            assert hashes(own.result) == hashes(undisturbed)
            assert len(Records.read(tmp_path, SMALL).history) == 40
            (tmp_path / ASKED).unlink()


def test_batches_that_begin_elsewhere_cannot_be_resumed(
    partial_table: Table, tmp_path: Path
) -> None:
    evaluator = TableEvaluator(partial_table)
    folder = SearchFolder(tmp_path, {}, SMALL)
    search(RandomSearch(at_once=10), evaluator, 12, folder=folder)
    (tmp_path / ASKED).unlink()  # as version 0.1 left it
    with pytest.raises(SettingsError, match=r"query 5 .* together with query 0"):
        search(RandomSearch(at_once=5), evaluator, 20, folder=folder)


def test_a_folder_of_another_seed_cannot_be_resumed(partial_table: Table, tmp_path: Path) -> None:
    evaluator = Interrupted(partial_table, 10)
    folder = SearchFolder(tmp_path, {}, SMALL)
    with pytest.raises(KeyboardInterrupt):
        search(PredictorSearch(linear, n=15), evaluator, 30, seed=1, folder=folder)
    (tmp_path / ASKED).unlink()
    with pytest.raises(SettingsError, match="query 0"):
        search(PredictorSearch(linear, n=15), evaluator, 30, seed=2, folder=folder)
