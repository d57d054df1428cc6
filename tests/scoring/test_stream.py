"""Streams give the scores of one call, also if their workers or processes are killed."""

from __future__ import annotations

import csv
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pyg_nas.compute.jit import compiled_enabled
from pyg_nas.compute.workers import WorkerDiedError, Workers
from pyg_nas.errors import BackendError, SettingsError
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.predictors.gnn.gcn import GCNRegressor
from pyg_nas.scoring.blocks import Architectures, Block, stored_blocks
from pyg_nas.scoring.scores import ScoringTask
from pyg_nas.scoring.stream import score_stream
from pyg_nas.testing import reference_output

CELLS = sample_cells(23, seed=3)
EDGES = CELLS.num_edges.tolist()


class Counting:
    """Predicts the number of edges, and notes every cell that it is asked for.

    It kills its process at a cell, ``times`` times.
    """

    def __init__(self, folder: Path, victim: str = "", times: int = 0) -> None:
        self.folder, self.victim, self.times = folder, victim, times

    def predict(self, cells: CellArray) -> np.ndarray[Any, Any]:
        asked = [cell.hash for cell in cells]
        marks = self.folder / "kills"
        if self.victim in asked and len(marks.read_text() if marks.exists() else "") < self.times:
            with marks.open("a") as file:
                file.write("x")
            os.kill(os.getpid(), signal.SIGKILL)
        with (self.folder / "asked").open("a") as file:
            file.writelines(f"{digest}\n" for digest in asked)
        return cells.num_edges.astype(np.float64)

    def asked(self) -> list[str]:
        return (self.folder / "asked").read_text().split()


def blocks() -> Iterator[Block]:
    return stored_blocks(Architectures(CELLS), size=4)


def interrupted() -> Iterator[Block]:
    for block in blocks():
        if block.row == 12:
            raise KeyboardInterrupt
        yield block


def rows(path: Path) -> list[tuple[str, float, int]]:
    with path.open(newline="") as file:
        return [(r["hash"], float(r["score"]), int(r["row"])) for r in csv.DictReader(file)]


EXPECTED = [
    (cell.hash, float(n), row) for row, (cell, n) in enumerate(zip(CELLS, EDGES, strict=True))
]


@pytest.mark.parametrize("workers", [Workers(), Workers("threading", 2), Workers("loky", 2)])
def test_every_backend_scores_each_architecture_once(tmp_path: Path, workers: Workers) -> None:
    estimator = Counting(tmp_path)
    seen: list[int] = []
    out = tmp_path / "s.csv"
    total = score_stream(
        ScoringTask(estimator), blocks(), out, workers=workers, progress=seen.append
    )
    assert total == seen[-1] == 23
    assert rows(out) == EXPECTED
    assert sorted(estimator.asked()) == sorted(cell.hash for cell in CELLS)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["asked", "s.csv"]


def test_the_best_are_those_of_all(tmp_path: Path) -> None:
    score_stream(ScoringTask(Counting(tmp_path), top=7), blocks(), tmp_path / "s.csv")
    assert rows(tmp_path / "s.csv") == sorted(EXPECTED, key=lambda r: (-r[1], r[2]))[:7]
    score_stream(ScoringTask(Counting(tmp_path), False, top=50), blocks(), tmp_path / "s.csv")
    assert rows(tmp_path / "s.csv") == sorted(EXPECTED, key=lambda r: (r[1], r[2]))


def test_only_rows_that_may_be_among_the_best_are_hashed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[int] = []
    hashes_of = Architectures.hashes_of

    def counted(self: Architectures, chosen: Any) -> Any:
        hashed.append(len(chosen))
        return hashes_of(self, chosen)

    monkeypatch.setattr(Architectures, "hashes_of", counted)
    best_first = CELLS[np.argsort(-CELLS.num_edges, kind="stable")]
    source = stored_blocks(Architectures(best_first, best_first.hashes()), size=4)
    score_stream(ScoringTask(Counting(tmp_path), top=2), source, tmp_path / "s.csv")
    ties = int((CELLS.num_edges == CELLS.num_edges.max()).sum())
    assert hashed == [min(2, max(0, ties - 4 * block)) if block else 2 for block in range(6)]


def test_a_drawing_that_comes_again_is_predicted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyg_nas.scoring.seen.FEWEST_COMPILED", 2)
    chosen = np.random.default_rng(0).integers(0, len(CELLS), 90)
    source = stored_blocks(Architectures(CELLS[chosen]), size=20)
    estimator = Counting(tmp_path)
    score_stream(ScoringTask(estimator), source, tmp_path / "s.csv")
    assert rows(tmp_path / "s.csv") == [
        (CELLS[i].hash, float(EDGES[i]), row) for row, i in enumerate(chosen.tolist())
    ]
    expected = {CELLS[i].hash for i in chosen.tolist()}
    assert set(estimator.asked()) == expected
    if compiled_enabled():
        assert len(estimator.asked()) == len(expected)


def test_streams_with_repeats_have_the_scores_of_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By shared terms, and of seen cells, against a plain float64 forward pass."""
    monkeypatch.setattr("pyg_nas.scoring.seen.FEWEST_COMPILED", 2)
    monkeypatch.setattr("pyg_nas.predictors.gnn.gcn.FEWEST_COMPILED", 2)
    model = GCNRegressor(hidden=8, head=4, epochs=2).fit(CELLS, np.linspace(0.8, 0.9, len(CELLS)))
    (member,) = model.members_
    expected = [reference_output(member, cell) * model.std_ + model.mean_ for cell in CELLS]
    chosen = np.random.default_rng(1).integers(0, len(CELLS), 60)
    source = stored_blocks(Architectures(CELLS[chosen]), size=16)
    score_stream(ScoringTask(model), source, tmp_path / "s.csv")
    found = [score for _, score, _ in rows(tmp_path / "s.csv")]
    np.testing.assert_allclose(found, np.array(expected)[chosen], atol=1e-6)
    assert len(set(found)) == len(set(chosen.tolist()))


class Spread(Counting):
    """Predicts a standard deviation too."""

    provides_std = True

    def predict(self, cells: CellArray, return_std: bool = False) -> Any:
        assert return_std
        return super().predict(cells), cells.num_vertices / 8


@pytest.mark.parametrize("top", [None, 7])
def test_the_best_of_cells_that_come_again_have_their_std_also_if_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, top: int | None
) -> None:
    monkeypatch.setattr("pyg_nas.scoring.seen.FEWEST_COMPILED", 2)
    chosen = np.random.default_rng(2).integers(0, len(CELLS), 90)

    def source(stop: int) -> Iterator[Block]:
        for block in stored_blocks(Architectures(CELLS[chosen]), size=10):
            if block.row == stop:
                raise KeyboardInterrupt
            yield block

    estimator, out = Spread(tmp_path), tmp_path / "s.csv"
    with pytest.raises(KeyboardInterrupt):
        score_stream(ScoringTask(estimator, top=top), source(40), out)
    score_stream(ScoringTask(estimator, top=top), source(90), out)
    order = np.argsort(-CELLS.num_edges[chosen], kind="stable")[:top] if top else range(90)
    with out.open(newline="") as file:
        found = [(int(r["row"]), float(r["mean"]), float(r["std"])) for r in csv.DictReader(file)]
    sizes = CELLS.num_vertices
    assert found == [(i, EDGES[chosen[i]], sizes[chosen[i]] / 8) for i in order]


def test_the_threads_that_read_end_with_a_failure(tmp_path: Path) -> None:
    """Also while the error is kept, with the frames that it passed."""

    def predict(cells: CellArray) -> None:
        raise SettingsError("stopped")

    before = set(threading.enumerate())
    estimator = SimpleNamespace(predict=predict)
    with pytest.raises(SettingsError, match="stopped") as kept:
        score_stream(ScoringTask(estimator), blocks(), tmp_path / "s.csv")
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
        assert not thread.is_alive()
    assert kept.value.__traceback__ is not None


class Preparing(Counting):
    """Notes the sizes of the blocks that it prepares."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.prepared: list[int] = []

    def prepare(self, cells: CellArray) -> None:
        self.prepared.append(len(cells))


def test_each_block_is_prepared_once_in_this_process(tmp_path: Path) -> None:
    estimator, out = Preparing(tmp_path), tmp_path / "s.csv"
    with pytest.raises(KeyboardInterrupt):
        score_stream(ScoringTask(estimator), interrupted(), out)
    assert estimator.prepared == [4, 4, 4]
    score_stream(ScoringTask(estimator), blocks(), out)
    assert estimator.prepared == [4, 4, 4, 4, 4, 3]
    assert rows(out) == EXPECTED
    score_stream(ScoringTask(estimator), blocks(), out, workers=Workers("threading"))
    assert len(estimator.prepared) == 6


def test_an_interrupted_run_resumes(tmp_path: Path) -> None:
    estimator, out = Counting(tmp_path), tmp_path / "s.csv"
    with pytest.raises(KeyboardInterrupt):
        score_stream(ScoringTask(estimator), interrupted(), out)
    assert not out.exists()
    assert len(estimator.asked()) == 12
    with pytest.raises(SettingsError, match="another model, source or number"):
        score_stream(ScoringTask(estimator), blocks(), out, settings={"model": "other"})
    other = stored_blocks(Architectures(CELLS[::-1]), size=4)
    with pytest.raises(SettingsError, match="block 0 of the source has changed"):
        score_stream(ScoringTask(estimator), other, out)
    score_stream(ScoringTask(estimator), blocks(), out)
    assert rows(out) == EXPECTED
    assert len(estimator.asked()) == 23


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_dead_workers_lose_nothing(tmp_path: Path) -> None:
    once = Counting(tmp_path, CELLS[9].hash, times=1)
    score_stream(ScoringTask(once), blocks(), tmp_path / "a.csv", workers=Workers("loky", 2))
    assert rows(tmp_path / "a.csv") == EXPECTED


def test_a_block_that_kills_its_workers_is_named_and_the_others_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(self: Workers, function: Any, shared: Any, calls: Any) -> Iterator[Any]:
        for call in calls:
            died = WorkerDiedError("killed") if call[0] == 2 else None
            yield call, died or function(shared, *call)

    estimator, out = Counting(tmp_path), tmp_path / "s.csv"
    with monkeypatch.context() as patch:
        patch.setattr(Workers, "run", run)
        with pytest.raises(BackendError, match=r"1 blocks were not scored .* from row 8 on"):
            score_stream(ScoringTask(estimator), blocks(), out)
    assert len(estimator.asked()) == 19
    score_stream(ScoringTask(estimator), blocks(), out)
    assert rows(out) == EXPECTED
    assert len(estimator.asked()) == 23


def test_a_source_without_architectures_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no architecture"):
        score_stream(ScoringTask(Counting(tmp_path)), [], tmp_path / "s.csv")
    assert not list(tmp_path.iterdir())
