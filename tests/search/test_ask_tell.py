"""Asking and telling: any order, any number of processes, stopped anywhere, nothing twice."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyg_nas.data.tables.table import Table
from pyg_nas.errors import SettingsError, SpaceError
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.io.callbacks import Callback, Figures
from pyg_nas.search.ask_tell import Search
from pyg_nas.search.candidate import Candidate
from pyg_nas.search.constraints import Constraints
from pyg_nas.search.domain import Domain
from pyg_nas.search.evaluators.table import TableEvaluator
from pyg_nas.search.history import History, Proposal
from pyg_nas.search.loop import search
from pyg_nas.search.methods.strategies import PredictorSearch, RandomSearch, RegularizedEvolution
from pyg_nas.search.search_folder.folder import ASKED, QUERIES
from tests.search.conftest import SMALL, made_up_table
from tests.search.predictors import GaussianPredictor, gaussian, linear
from tests.search.samples import STRATEGIES, hashes


def predictor_search(folder: Path | None, table: Table, n: int = 8, k: int = 3) -> Search:
    return Search(
        folder,
        SMALL,
        strategy=PredictorSearch(linear, n=n, k=k),
        domain=Domain(SMALL, table.cells, table.hashes),
    )


def accuracy(table: Table, candidate: Candidate) -> float:
    return float(table.label()[table.index_of(candidate.cell)])


def ids(candidates: list[Candidate]) -> list[int]:
    return [candidate.id for candidate in candidates]


@pytest.mark.parametrize("method", STRATEGIES)
@pytest.mark.parametrize("together", [1, 5])
def test_one_after_the_other_it_asks_what_the_built_in_search_asks(
    method: str, together: int, partial_table: Table
) -> None:
    evaluator = TableEvaluator(partial_table)
    strategy = STRATEGIES[method](evaluator)
    own = Search(None, SMALL, strategy=strategy, domain=evaluator.domain, seed=1)
    for _ in range(30):
        batch = strategy.batch(len(own.ledger.candidates))
        for candidate in own.ask(min(together, len(own.ledger.waiting) or batch)):
            outcome = evaluator.evaluate(candidate.cell)
            own.tell(candidate.id, outcome.accuracy, outcome.seconds)
    told = hashes(own.result)
    assert len(told) >= 30
    assert told == hashes(search(strategy, evaluator, len(told), 1))


@pytest.mark.parametrize("cut", [ASKED, QUERIES])
def test_killed_after_any_byte_it_resumes_as_if_undisturbed(
    cut: str, whole_table: Table, tmp_path: Path
) -> None:
    """The same search follows, no matter how much of the last line a kill leaves."""

    def play(folder: Path, until: int) -> list[str]:
        own = predictor_search(folder, whole_table)
        waiting = own.pending()
        while len(own.ledger.history) < until:
            candidate = waiting.pop(0) if waiting else own.ask()[0]
            own.tell(candidate.id, accuracy(whole_table, candidate))
        return hashes(own.result)

    expected = play(tmp_path / "whole", 17)
    lines = (tmp_path / "whole" / cut).read_bytes().splitlines(keepends=True)
    for kept in range(0, len(lines), 4):
        part = tmp_path / f"{kept}"
        shutil.copytree(tmp_path / "whole", part)
        torn = lines[kept][: len(lines[kept]) // 2]
        (part / cut).write_bytes(b"".join(lines[:kept]) + torn)
        if cut == ASKED:
            # Answers are written after their proposal: as many as were handed out by then.
            handed = sum(b"handed_out" in line for line in lines[:kept])
            answers = (tmp_path / "whole" / QUERIES).read_bytes().splitlines(keepends=True)
            (part / QUERIES).write_bytes(b"".join(answers[: max(handed - 1, 0)]))
        assert play(part, 17) == expected, kept


def test_answers_come_in_any_order_and_nothing_is_asked_twice(whole_table: Table) -> None:
    own = predictor_search(None, whole_table)
    rng = np.random.default_rng(0)
    in_training: list[Candidate] = []
    seen: list[str] = []
    for _ in range(40):
        new = own.ask(int(rng.integers(1, 6)))
        seen += [candidate.cell.hash for candidate in new]
        in_training += new
        for _ in range(min(len(in_training), int(rng.integers(0, 5)))):
            done = in_training.pop(int(rng.integers(len(in_training))))
            assert own.tell(done.id, accuracy(whole_table, done))
    assert len(set(seen)) == len(seen) > 90
    assert ids(own.pending()) == sorted(candidate.id for candidate in in_training)
    assert own.best is not None
    assert own.best.outcome.accuracy == own.result.history.accuracies.max()


def test_no_worker_waits_for_a_slow_one(whole_table: Table) -> None:
    own = predictor_search(None, whole_table, n=8, k=3)
    (slow,) = own.ask(1, worker="slow")
    for _ in range(30):
        (candidate,) = own.ask()
        own.tell(candidate.id, accuracy(whole_table, candidate))
    asked_by_predictor = [query for query in own.result.history if query.proposal.why]
    assert len(asked_by_predictor) >= 20
    assert ids(own.pending("slow")) == [slow.id]
    assert own.tell(slow.id, accuracy(whole_table, slow))  # late, and it counts
    assert own.pending() == []


def test_before_anything_is_told_random_architectures_are_asked_for(whole_table: Table) -> None:
    own = predictor_search(None, whole_table, n=4, k=2)
    assert len({candidate.cell.hash for candidate in own.ask(20)}) == 20
    assert not any(candidate.proposal.why for candidate in own.ask(5))


def test_answers_that_come_twice(whole_table: Table) -> None:
    own = predictor_search(None, whole_table)
    first, second, third = own.ask(3)
    assert own.tell(first.id, 0.9, 10.0)
    assert not own.tell(first.id, 0.9, 10.0)  # a script that was started again
    with pytest.raises(SettingsError, match=r"architecture 0 has .*0\.9.* already, got .*0\.8"):
        own.tell(first.id, 0.8)
    assert [query.outcome.accuracy for query in own.result.history] == [0.9]
    # Two workers had it: the first answer counts, and the other is no mistake.
    assert ids(own.ask(2, reissue_after=0)) == [second.id, third.id]
    assert own.tell(second.id, 0.7)
    assert not own.tell(second.id, 0.71)
    assert not own.tell(second.id, failed=True)
    assert [query.outcome.accuracy for query in own.result.history] == [0.9, 0.7]


def test_failed_architectures_are_not_asked_again_unless_they_answer_after_all(
    whole_table: Table, tmp_path: Path
) -> None:
    own = predictor_search(tmp_path, whole_table, n=4, k=2)
    failed = own.ask(3)
    for candidate in failed:
        assert own.tell(candidate.id, failed=True, reason="out of memory")
    assert not own.tell(failed[0].id, failed=True)
    assert own.pending() == []
    for _ in range(20):
        (candidate,) = own.ask()
        own.tell(candidate.id, accuracy(whole_table, candidate))
    again = predictor_search(tmp_path, whole_table, n=4, k=2)
    assert again.result.to_dict()["failed"] == 3
    assert not set(hashes(again.result)) & {candidate.cell.hash for candidate in failed}
    assert again.tell(failed[1].id, 0.99)
    assert again.result.failed == 2
    assert own.best is not None
    assert own.best.cell == failed[1].cell


def test_workers_that_never_answer_are_replaced(whole_table: Table, tmp_path: Path) -> None:
    own = predictor_search(tmp_path, whole_table)
    dead = own.ask(2, worker="dead")
    assert ids(own.ask(2, reissue_after=3600)) == [2, 3]
    other = predictor_search(tmp_path, whole_table)
    reissued = other.ask(3, worker="alive", reissue_after=0)
    assert ids(reissued) == [0, 1, 2]
    assert other.tell(dead[0].id, 0.8)
    assert ids(other.pending("alive")) == [1, 2]
    assert ids(own.pending()) == [1, 2, 3]


@pytest.mark.parametrize(
    ("number", "figures", "message"),
    [
        (7, {"accuracy": 0.5}, "architecture 7 was never handed out: numbers go from 0 to 0"),
        (1, {"accuracy": 0.5}, "architecture 1 was never handed out"),  # proposed, but queued
        (-1, {"accuracy": 0.5}, "architecture -1 was never handed out"),
        ("0", {"accuracy": 0.5}, "named by its id, a whole number, got '0'"),
        (0.0, {"accuracy": 0.5}, "named by its id, a whole number, got 0.0"),
        (0, {}, "architecture 0: give the argument `accuracy`, or the argument `failed` if it has"),
        (0, {"accuracy": 0.5, "failed": True}, "it cannot fail and have an accuracy"),
        (0, {"accuracy": float("nan")}, "number, got nan; give the argument `failed` if it has"),
        (0, {"accuracy": "0.5"}, "architecture 0: accuracy must be a finite number, got '0.5'$"),
        (0, {"accuracy": 0.5, "seconds": float("inf")}, "seconds must be a finite number"),
    ],
)
def test_invalid_answers_change_nothing(
    whole_table: Table, tmp_path: Path, number: Any, figures: dict[str, Any], message: str
) -> None:
    own = predictor_search(tmp_path, whole_table)
    own.ask()
    before = {path.name: path.read_bytes() for path in tmp_path.glob("*.json*")}
    with pytest.raises(SettingsError, match=message):
        own.tell(number, **figures)
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.json*")} == before
    assert own.pending()


@pytest.mark.parametrize("number", ["0", 0.0, None, True])
def test_an_id_is_a_whole_number(number: Any) -> None:
    own = Search(None, "nasbench101", method="random")
    own.ask(2)
    for look_up in (own.candidate, own.is_told):
        with pytest.raises(SettingsError, match=f"by its id, a whole number, got {number!r}"):
            look_up(number)


def test_what_is_told_is_told(tmp_path: Path) -> None:
    own = Search(tmp_path, "nasbench101", method="random")
    other = Search(tmp_path, method="random")
    told, failed, pending = ids(own.ask(3))
    own.tell(told, 0.5)
    own.tell(failed, failed=True)
    assert [other.is_told(number) for number in (told, failed, pending)] == [True, False, False]
    with pytest.raises(SettingsError, match="architecture 999 was never proposed"):
        other.is_told(999)


def test_seconds_are_needed_where_they_are_limited(whole_table: Table) -> None:
    domain = Domain(SMALL, whole_table.cells)
    limit = Constraints(max_seconds=5.0)
    own = Search(None, SMALL, strategy=RandomSearch(), domain=domain, constraints=limit)
    first, second = own.ask(2)
    with pytest.raises(SettingsError, match="architecture 0: give the argument `seconds`, because"):
        own.tell(first.id, 0.9)
    own.tell(first.id, 0.9, seconds=6.0)
    own.tell(second.id, 0.8, seconds=4.0)
    assert own.best is not None
    assert own.best.cell == second.cell


def test_a_folder_has_one_search(whole_table: Table, tmp_path: Path) -> None:
    predictor_search(tmp_path, whole_table, n=8)
    with pytest.raises(SettingsError, match="contains a search with start = 8, 9 was req"):
        predictor_search(tmp_path, whole_table, n=9)
    with pytest.raises(SpaceError, match="nowhere"):
        Search(None, "nowhere")
    with pytest.raises(SettingsError, match="at least 1, got 0"):
        predictor_search(tmp_path, whole_table).ask(0)


class Kept(Callback):
    """Keeps what it receives, and asks the search in between."""

    def __init__(self, own: Search) -> None:
        self.own = own
        self.queries: list[tuple[int, Figures]] = []

    def on_query(self, index: int, figures: Figures) -> None:
        thread = threading.Thread(target=self.own.pending)  # would wait for a lock that is held
        thread.start()
        thread.join(20)
        assert not thread.is_alive()
        self.queries.append((index, figures))


def test_a_callback_receives_what_this_process_tells(whole_table: Table, tmp_path: Path) -> None:
    own, other = (predictor_search(tmp_path, whole_table) for _ in range(2))
    own.callback = kept = Kept(own)
    numbers = ids(own.ask(6))
    own.tell(numbers[1], 0.75, seconds=2.0)
    own.tell(numbers[1], 0.75, seconds=2.0)  # again: it is recorded already
    other.tell(numbers[0], 0.7)
    own.tell(numbers[2], failed=True)
    own.tell(numbers[3], 0.5)
    assert [index for index, _ in kept.queries] == [0, 2]
    assert [figures["accuracy"] for _, figures in kept.queries] == [0.75, 0.5]
    assert kept.queries[0][1]["seconds"] == 2.0
    assert "seconds" not in kept.queries[1][1]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"seed": -1}, "seed must be at least 0 and at most 4,294,967,295, got -1"),
        ({"seed": "a"}, "seed must be a whole number, got 'a'"),
        ({"n": 2.5}, "n must be a whole number, got 2.5"),
        ({"device": "gpu"}, "device 'gpu' must be auto, cpu, cuda or cuda:N"),
    ],
)
def test_invalid_settings_leave_no_folder(
    given: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=message):
        Search(tmp_path / "s", **given)
    assert not (tmp_path / "s").exists()


def test_a_folder_remembers_its_space(tmp_path: Path) -> None:
    Search(tmp_path, "nasbench201", method="random").ask(1)
    (pending,) = Search(tmp_path, method="random").pending()
    assert pending.cell.space.name == "nasbench201"


def test_a_space_that_cannot_be_listed_leaves_no_folder(tmp_path: Path) -> None:
    wide = SearchSpace("wide", tuple("abcdefgh"), 6, 15, ("out", "in"))
    with pytest.raises(SpaceError, match="cannot be enumerated"):
        Search(tmp_path / "s", wide, method="random")
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("strategy_settings", None), ("evaluator", []), ("seed", 1e300), ("seed", -1)],
        *[("max_seconds", "5"), ("max_parameters", True)],
    ],
)
def test_settings_that_no_search_wrote_are_refused(
    name: str, value: object, tmp_path: Path
) -> None:
    Search(tmp_path, SMALL, method="random")
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), name: value}))
    with pytest.raises(SettingsError):
        Search.open(tmp_path)


def test_lines_that_no_search_wrote_are_named(whole_table: Table, tmp_path: Path) -> None:
    own = predictor_search(tmp_path, whole_table)
    candidate = own.ask()[0]
    own.tell(candidate.id, 0.5)
    good = (tmp_path / ASKED).read_bytes(), (tmp_path / QUERIES).read_bytes()
    for name, line, message in (
        (ASKED, b"[1]\n", "asked.jsonl, line 3: not a valid record"),
        (ASKED, b'{"failed": 99, "reason": ""}\n', "asked.jsonl, line 3: not a valid record"),
        (ASKED, good[0].splitlines(keepends=True)[0], "candidates must be numbered from 8"),
        (QUERIES, good[1], "queries.jsonl, line 2: cell .* was proposed twice"),
        (QUERIES, b"{}\n", "queries.jsonl, line 2: not a query"),
    ):
        (tmp_path / ASKED).write_bytes(good[0])
        (tmp_path / QUERIES).write_bytes(good[1])
        with (tmp_path / name).open("ab") as file:
            file.write(line)
        with pytest.raises(SettingsError, match=message):
            predictor_search(tmp_path, whole_table)


class Repeating(RandomSearch):
    """A user's strategy with an error: it proposes a cell that is in training, drawn otherwise."""

    def propose(
        self, history: History, k: int, domain: Domain, rng: np.random.Generator
    ) -> list[Proposal]:
        return [Proposal(domain.cells[0])]


def test_a_duplicate_is_found_by_its_hash(whole_table: Table, tmp_path: Path) -> None:
    domain = Domain(SMALL, whole_table.cells)
    own = Search(tmp_path, SMALL, strategy=Repeating(), domain=domain)
    own.ask()
    before = (tmp_path / ASKED).read_bytes()
    with pytest.raises(ValueError, match="proposed twice"):
        own.ask()
    assert (tmp_path / ASKED).read_bytes() == before


class Believing(GaussianPredictor):
    """Keeps what it is fitted to."""

    fits: list[tuple[CellArray, np.ndarray]] = []  # noqa: RUF012

    def fit(self, X: CellArray, y: np.ndarray) -> Believing:
        self.fits.append((X, y))
        super().fit(X, y)
        return self


def test_cells_in_training_count_at_what_the_predictor_expects(whole_table: Table) -> None:
    Believing.fits.clear()
    strategy = PredictorSearch(lambda n, seed: Believing(), n=10, k=2, acquisition="ei")
    own = Search(None, SMALL, strategy=strategy, domain=Domain(SMALL, whole_table.cells))
    candidates = own.ask(10)
    for candidate in candidates[:7]:
        own.tell(candidate.id, accuracy(whole_table, candidate))
    own.ask(1)
    (measured, labels), (both, believed) = Believing.fits
    assert (len(measured), len(both)) == (7, 10)
    expected = gaussian(7, 0).fit(measured, labels).predict(both[7:])
    np.testing.assert_allclose(believed, np.concatenate([labels, expected]))
    assert {cell.hash for cell in both[7:]} == {c.cell.hash for c in candidates[7:]}


def test_evolution_proposes_while_its_first_population_trains(whole_table: Table) -> None:
    strategy = RegularizedEvolution(population=6, tournament=2)
    own = Search(None, SMALL, strategy=strategy, domain=Domain(SMALL, whole_table.cells))
    first = own.ask(6)
    for candidate in first[:5]:
        own.tell(candidate.id, accuracy(whole_table, candidate))
    (extra,) = own.ask()
    assert "parent" not in extra.proposal.why
    own.tell(extra.id, accuracy(whole_table, extra))
    assert "parent" in own.ask()[0].proposal.why


def _train_with_reports(own: Search, table: Table, candidate: Candidate) -> bool:
    """Train for 4 of 8 epochs, and to the end if asked to; return whether it was."""
    final = accuracy(table, candidate)
    if not own.report(candidate.id, epochs=4, accuracy=final / 2, seconds=40.0):
        return False
    own.tell(candidate.id, final, 80.0)
    return True


def test_hopeless_runs_are_stopped(whole_table: Table, tmp_path: Path) -> None:
    own = predictor_search(tmp_path, whole_table)
    complete = [_train_with_reports(own, whole_table, own.ask()[0]) for _ in range(40)]
    result = own.result
    assert all(complete[:8])
    assert 5 < complete.count(False) == result.stopped.sum()
    assert own.pending() == []
    # An answer is never of a stopped one, and what those were expected to reach is near the truth.
    assert own.best is not None
    assert not own.best.outcome.stopped
    labels = whole_table.label(whole_table.default_label)
    for query in result.history:
        row = whole_table.index_of(query.cell)
        assert query.outcome.accuracy == pytest.approx(labels[row], abs=1e-6)
    assert result.saved_seconds == pytest.approx(40.0 * result.stopped.sum())
    # Another process reads the same, and a worker that trained on all the same changes nothing.
    again = predictor_search(tmp_path, whole_table)
    assert again.result.to_dict() == result.to_dict()
    stopped = complete.index(False)
    assert not again.report(stopped, epochs=6, accuracy=0.9)
    assert not again.tell(stopped, 0.9)
    assert not again.tell(stopped, failed=True)
    assert again.result.to_dict() == result.to_dict()


def test_a_worker_that_dies_between_reports(whole_table: Table, tmp_path: Path) -> None:
    own = predictor_search(tmp_path, whole_table)
    (candidate,) = own.ask()
    assert own.report(candidate.id, epochs=4, accuracy=0.4)
    # The last line of a process that was killed is cut off, and so is not there.
    with (tmp_path / ASKED).open("a") as file:
        file.write('{"reported": 0, "ru')
    again = predictor_search(tmp_path, whole_table)
    assert ids(again.ask(reissue_after=0)) == [candidate.id]
    assert again.report(candidate.id, epochs=4, accuracy=0.41)
    assert again.tell(candidate.id, 0.8)
    assert [rung.accuracy for rung in own.result.history[0].outcome.rungs] == [0.4]


def test_reports_with_limited_training_time(whole_table: Table) -> None:
    own = Search(
        None, SMALL, method="random", constraints=Constraints(max_seconds=9),
        domain=Domain(SMALL, whole_table.cells),
    )  # fmt: skip
    (candidate,) = own.ask()
    with pytest.raises(SettingsError, match="training time cannot be limited with early stopping"):
        own.report(candidate.id, epochs=4, accuracy=0.4)


def _work(folder: Path, count: int, dies: bool) -> None:
    table = made_up_table(Domain(SMALL).cells)
    own = predictor_search(folder, table)
    for turn in range(count):
        for candidate in own.ask(2):
            if dies and turn == count - 1:
                os.kill(os.getpid(), signal.SIGKILL)
            own.tell(candidate.id, accuracy(table, candidate))


def test_processes_share_a_folder_though_some_die(whole_table: Table, tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    workers = [
        context.Process(target=_work, args=(tmp_path, count, dies))
        for count, dies in ((6, False), (4, True), (6, False))
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, -9, 0]
    own = predictor_search(tmp_path, whole_table)
    told = hashes(own.result)
    assert len(set(told)) == len(told) == 12 + 6 + 12
    assert len(own.pending()) == 2  # what the dead one had
    asked = [json.loads(line) for line in (tmp_path / ASKED).read_text().splitlines()]
    numbers = [number for line in asked for number in line.get("handed_out", [])]
    assert sorted(numbers) == list(range(32))


class Slow(RandomSearch):
    """Proposes while another thread tells an outcome, and keeps what it has seen of it."""

    own: Search
    seen: tuple[int, int, int]

    def propose(
        self, history: History, k: int, domain: Domain, rng: np.random.Generator
    ) -> list[Proposal]:
        if history.asked:
            cells = history.cells
            teller = threading.Thread(target=self.own.tell, args=(1, 0.75))
            teller.start()
            teller.join()
            self.seen = len(cells), len(history.accuracies), len(history.pending)
        return super().propose(history, k, domain, rng)


def test_what_a_thread_tells_does_not_change_a_history_in_use(whole_table: Table) -> None:
    strategy = Slow(2)
    own = strategy.own = Search(
        None, SMALL, strategy=strategy, domain=Domain(SMALL, whole_table.cells)
    )
    own.ask(2)
    own.tell(0, 0.5)
    before = own.result
    own.ask(1)
    assert strategy.seen == (1, 1, 1)
    assert before.best_accuracy.tolist() == [0.5]
    assert own.result.best_accuracy.tolist() == [0.5, 0.75]


def test_threads_share_a_search(whole_table: Table) -> None:
    own = predictor_search(None, whole_table)

    def work() -> None:
        for _ in range(10):
            for candidate in own.ask(2):
                own.tell(candidate.id, accuracy(whole_table, candidate))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(hashes(own.result))) == 60


def test_a_predictor_of_a_folder_is_not_imported_by_itself(tmp_path: Path) -> None:
    Search(tmp_path / "run", recipe="fast").ask(1)
    path = tmp_path / "run" / "settings.json"
    code = tmp_path / "planted.py"
    code.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    path.write_text(path.read_text().replace("recipe fast", f"recipe {code}:Class"))
    with pytest.raises(SettingsError, match="name it again with the argument `recipe`"):
        Search.open(tmp_path / "run")
    assert not (tmp_path / "ran").exists()
