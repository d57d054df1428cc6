"""The ledger of a search in memory: proposals, hand-outs and outcomes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pyg_nas.errors import SettingsError
from pyg_nas.search.history import Proposal
from pyg_nas.search.outcome import Outcome, Rung
from pyg_nas.search.search_folder.folder import SearchFolder
from pyg_nas.search.search_folder.ledger import Ledger
from pyg_nas.spaces.nasbench101 import NASBENCH101
from pyg_nas.testing import small_cells


@pytest.fixture
def ledger() -> Ledger:
    ledger = Ledger()
    ledger.add([Proposal(cell) for cell in small_cells(per_size=1)[:3]], [1, 2, None])
    return ledger


def numbers(candidates) -> list[int]:
    return [candidate.id for candidate in candidates]


def test_candidates_wait_until_they_are_handed_out(ledger: Ledger) -> None:
    assert numbers(ledger.waiting) == [0, 1, 2]
    ledger.hand_out(ledger.candidates[:1], "a")
    ledger.hand_out(ledger.candidates[2:], "b")
    assert numbers(ledger.waiting) == [1]
    assert numbers(ledger.pending()) == [0, 2]
    assert numbers(ledger.pending("b")) == [2]
    assert numbers(ledger.pending(older_than=3600.0)) == []
    assert ledger.num_begun == 2


def test_the_first_outcome_counts(ledger: Ledger) -> None:
    ledger.hand_out(ledger.candidates[:1])
    assert ledger.answer(0, Outcome(0.5, 1.0))
    assert not ledger.answer(0, Outcome(0.5, 1.0))
    with pytest.raises(SettingsError, match=r"architecture 0 has .* already"):
        ledger.answer(0, Outcome(0.6, 1.0))
    assert [query.outcome.accuracy for query in ledger.history] == [0.5]


def test_an_outcome_replaces_a_failure(ledger: Ledger) -> None:
    ledger.hand_out(ledger.candidates[:2])
    assert ledger.tell(1, failed=True, reason="out of memory")
    failed = ledger.candidates[1].cell.hash
    assert ledger.history.failures == {failed: "out of memory"}
    assert not ledger.tell(1, failed=True)
    assert ledger.tell(1, 0.7)
    assert ledger.history.failures == {}
    assert not ledger.tell(1, failed=True)


def test_a_report_is_counted_once(ledger: Ledger) -> None:
    ledger.hand_out(ledger.candidates[:2])
    assert ledger.report(0, 3, 0.4, 30.0)
    assert ledger.report(0, 3, 0.5)  # a worker that was started again
    assert ledger.report(0, 2, 0.1)  # one that came late
    assert ledger.report(0, 9, 0.6, 90.0)
    assert ledger.answer(0, Outcome(0.7, 120.0))
    outcome = ledger.history[0].outcome
    assert outcome.rungs == (Rung(3, 0.4, 30.0), Rung(9, 0.6, 90.0))
    assert (outcome.full_seconds, outcome.stopped) == (120.0, False)
    assert not ledger.answer(0, Outcome(0.7, 120.0))
    assert not ledger.report(0, 20, 0.9)  # there is an outcome, so that more is for nothing
    with pytest.raises(SettingsError, match="architecture 2 was never handed out"):
        ledger.report(2, 3, 0.4)
    for figures, message in (
        ((0, 0.4), "epochs must be a whole number >= 1, got 0"),
        ((1.5, 0.4), "epochs must be a whole number >= 1, got 1.5"),
        ((3, float("nan")), "architecture 1: accuracy must be a finite number, got nan"),
        ((3, 0.4, float("inf")), "seconds must be a finite number or None, got inf"),
    ):
        with pytest.raises(SettingsError, match=message):
            ledger.report(1, *figures)
    assert ledger.report(1, 3, 0.4)


def test_invalid_reports_are_refused(ledger: Ledger) -> None:
    with pytest.raises(SettingsError, match="architecture 1 was never handed out"):
        ledger.tell(1, 0.5)
    with pytest.raises(SettingsError, match="cannot fail and have an accuracy"):
        ledger.tell(1, 0.5, failed=True)
    with pytest.raises(SettingsError, match="give the argument `accuracy`"):
        ledger.tell(1)
    with pytest.raises(SettingsError, match="architecture 1: seconds must be at least 0, got -5"):
        ledger.tell(1, 0.5, seconds=-5)
    with pytest.raises(SettingsError, match=r"seconds must be at least 0, got -0\.5"):
        ledger.report(1, 1, 0.5, seconds=np.float32(-0.5))
    with pytest.raises(ValueError, match="proposed twice"):
        ledger.add([ledger.candidates[0].proposal], [1])
    assert numbers(ledger.waiting) == [0, 1, 2]


def test_the_output_of_a_worker_in_another_encoding_can_be_read_again(tmp_path: Path) -> None:
    folder = SearchFolder(tmp_path, {"space": NASBENCH101.to_dict()}, NASBENCH101)
    ledger = Ledger(folder)
    ledger.add([Proposal(small_cells()[0])], [None])
    with pytest.raises(SettingsError, match=r"worker .* must be UTF-8 text"):
        ledger.hand_out(ledger.candidates, "gpu\udcff")
    ledger.hand_out(ledger.candidates)
    ledger.fail(0, "error\udcff\n\x1b[31m")
    failed = ledger.candidates[0].cell.hash
    assert Ledger(folder).history.failures == {failed: "error\\udcff\n\x1b[31m"}
