"""What the files of a search say, while it is at work or after it was killed."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from pyg_nas.errors import SettingsError
from pyg_nas.search.history import Proposal
from pyg_nas.search.outcome import Outcome
from pyg_nas.search.search_folder.folder import ASKED, QUERIES, SearchFolder
from pyg_nas.search.search_folder.ledger import Ledger
from pyg_nas.search.search_folder.records import Records
from pyg_nas.spaces.nasbench101 import NASBENCH101
from pyg_nas.testing import small_cells


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of three candidates, one of which has an outcome and one has failed."""
    ledger = Ledger(SearchFolder(tmp_path, {"space": NASBENCH101.to_dict()}, NASBENCH101))
    ledger.add([Proposal(cell) for cell in small_cells(per_size=1)[:3]], [1, 2, None])
    ledger.hand_out(ledger.candidates, "a")
    ledger.answer(0, Outcome(0.5, 1.0))
    ledger.fail(1, "out of memory")
    return tmp_path


def test_a_folder_is_read_without_a_change_to_it(folder: Path) -> None:
    files = (folder / ASKED, folder / QUERIES)
    with files[0].open("ab") as file:
        file.write(b'{"failed": 2, "rea')  # a process is writing
    before = [path.read_bytes() for path in files]
    records = Records.read(folder, NASBENCH101)
    first, second, third = (candidate.cell.hash for candidate in records.candidates)
    assert [query.cell.hash for query in records.history] == [first]
    assert records.history.failures == {second: "out of memory"}
    assert [proposal.cell.hash for proposal in records.history.pending] == [third]
    assert [candidate.id for candidate in records.pending("a")] == [2]
    assert [path.read_bytes() for path in files] == before


def test_candidates_are_pending_at_any_time_of_the_clock(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed_out = time.time()

    def pending(now: float, older_than: float = 0.0) -> list[int]:
        monkeypatch.setattr(time, "time", lambda: now)
        records = Records.read(folder, NASBENCH101)
        return [candidate.id for candidate in records.pending(older_than=older_than)]

    # The clock was set back by an hour: it is not known how long ago they were handed out.
    assert pending(handed_out - 3600) == pending(handed_out - 3600, 60) == [2]
    # That of another machine is a second late.
    assert (pending(handed_out - 1), pending(handed_out - 1, 60)) == ([2], [])
    assert (pending(handed_out + 59, 60), pending(handed_out + 61, 60)) == ([], [2])


def test_outcomes_without_their_candidates_are_of_version_0_1(folder: Path) -> None:
    (folder / ASKED).unlink()
    records = Records.read(folder, NASBENCH101)
    assert (len(records.history), len(records.unlisted), records.num_begun) == (1, 1, 1)
    assert records.candidates == []


@pytest.mark.parametrize(
    "event",
    [
        {"failed": -1, "reason": ""},
        {"failed": 3, "reason": ""},
        {"failed": 2, "reason": ["out of memory"]},
        {"handed_out": [-1], "at": 0, "worker": None},
        {"handed_out": [True], "at": 0, "worker": None},
        {"reported": 2, "rung": [0, 0.5, None]},
    ],
)
def test_an_event_that_no_search_wrote_is_named(folder: Path, event: dict[str, object]) -> None:
    with (folder / ASKED).open("a") as file:
        file.write(json.dumps(event) + "\n")
    with pytest.raises(SettingsError, match=r"asked.jsonl, line 4: not a valid record"):
        Records.read(folder, NASBENCH101)
