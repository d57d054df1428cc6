"""Latencies of a search: fitted to measured networks, with errors of cells that were left out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pyg_nas.data.networks.table import NetworkTable
from pyg_nas.data.protocols.labels import LabelPolicy
from pyg_nas.data.protocols.protocol import Protocol
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import MeasureError, SettingsError
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.measure.profiles import profile
from pyg_nas.measure.profiles.latency import Latency
from pyg_nas.measure.settings import ProfileSettings
from pyg_nas.predictors.trained import TrainedPredictor
from pyg_nas.report.search_facts import SearchFacts
from pyg_nas.search import latency
from pyg_nas.search.constraints import Constraints, restrict
from pyg_nas.search.domain import Domain
from pyg_nas.search.evaluators.table import TableEvaluator
from pyg_nas.search.latency import (
    LatencyModel,
    LatencyRecord,
    measured_latencies,
    stored_latencies,
)
from pyg_nas.search.loop import search
from pyg_nas.search.methods.by_name import make_strategy
from pyg_nas.search.search_folder.stored import stored_latency
from pyg_nas.spaces.modules import graph_of
from pyg_nas.spaces.modules.network_array import NetworkArray

CELLS = sample_cells(60, seed=3)
# Of what a network's time consists: a call for each vertex, and its arithmetic.
SECONDS = 1e-3 * CELLS.num_vertices + CELLS.macs() / 1e12


def test_errors_are_of_cells_that_were_left_out() -> None:
    model = LatencyModel.fit(CELLS, SECONDS, "cpu")
    unseen = sample_cells(160, seed=3)[60:]
    wanted = 1e-3 * unseen.num_vertices + unseen.macs() / 1e12
    errors = np.abs(model(unseen) / wanted - 1)
    described = model.describe()
    assert described["measured_cells"] == 60
    assert np.median(errors) < 0.08
    assert described["median_error"] == pytest.approx(np.median(errors), abs=0.04)
    assert described["median_error"] < described["error_90"]
    for rows in ([0, 1, 2], [0, 1, 2] * 10):
        with pytest.raises(SettingsError, match="at least 20 measured networks, there are 3"):
            LatencyModel.fit(CELLS[rows], SECONDS[rows], "cpu")
    with pytest.raises(SettingsError, match=r"labels must be above 0, .*; label 0 is 0\.0"):
        LatencyModel.fit(CELLS, SECONDS - SECONDS[0], "cpu")


def test_drawings_of_one_cell_are_left_out_together() -> None:
    seconds = np.exp(np.random.default_rng(0).normal(size=60))  # that no other cell predicts
    twice = np.repeat(np.arange(60), 2)
    errors = LatencyModel.fit(CELLS[twice], seconds[twice], "cpu").errors
    np.testing.assert_allclose(errors[::2], errors[1::2], rtol=1e-5)
    once = LatencyModel.fit(CELLS, seconds, "cpu").errors
    assert np.median(np.abs(errors)) > 0.7 * np.median(np.abs(once))


def test_a_search_proposes_only_cells_within_the_limit(small_table: Table) -> None:
    evaluator = TableEvaluator(small_table)

    def seconds(cells) -> np.ndarray:
        return cells.num_vertices / 1000

    constraints = Constraints(max_latency=0.005)
    with pytest.raises(SettingsError, match="latencies cannot be limited"):
        restrict(evaluator, constraints)
    evaluator.latency = seconds
    strategy = make_strategy("random", evaluator, n=4, k=4, recipe="fast", constraints=constraints)
    result = search(strategy, evaluator, 10, 0, constraints)
    assert {query.cell.num_vertices for query in result.history} <= {2, 3, 4, 5}
    best = evaluator.best_within(constraints)
    assert best is not None
    assert small_table.cells[small_table.index_of(best.hash)].num_vertices <= 5
    message = r"no cell has at most 0\.1 ms of latency, the smallest has \S+ ms of latency$"
    with pytest.raises(SettingsError, match=message):
        restrict(evaluator, Constraints(max_latency=1e-4))


def test_networks_are_measured_once(
    small_table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes = []

    def timed(run, *_: object) -> np.ndarray:
        passes.append(run)
        return np.array([1.0, 1.0])

    monkeypatch.setattr(profile, "time_passes", timed)
    monkeypatch.setattr(latency, "MEASURED", 20)
    domain = Domain(small_table.space, small_table.cells)
    built = []

    def build(cell):
        from torch import nn, zeros

        built.append(cell.hash)
        return nn.Linear(cell.num_vertices, 2), zeros(1, cell.num_vertices)

    settings = ProfileSettings()
    model = measured_latencies(domain, build, tmp_path, settings)
    assert len(set(built)) == 20
    np.testing.assert_allclose(model(CELLS), 1.0, rtol=0.05)
    count = len(passes)
    measured_latencies(domain, build, tmp_path, settings)
    assert len(passes) == count
    noisy = tmp_path / "noisy"
    noisy.mkdir()
    answers = iter([np.ones(2)])
    monkeypatch.setattr(profile, "time_passes", lambda *_: next(answers, np.array([1.0, 9.0])))
    monkeypatch.setattr(profile, "_PAUSE_SECONDS", 0.0)
    with pytest.raises(MeasureError, match="0 of 20 networks could be measured"):
        measured_latencies(domain, build, noisy, settings)


def test_latencies_of_a_table(small_table: Table, tmp_path: Path) -> None:
    domain = Domain(small_table.space)
    path = tmp_path / "t.hdf5"
    small_table.save(path)
    with pytest.raises(SettingsError, match="has no target 'latency'"):
        stored_latencies(path, domain)
    table = small_table.subset(slice(0, 80))
    seconds = 0.01 * table.cells.num_vertices
    Table(table.cells, table.metrics, table.budgets, targets={"latency": seconds}).save(path)
    model = stored_latencies(path, domain)
    assert json.loads(json.dumps(model.describe()))["measured_cells"] == 80
    assert np.corrcoef(model(CELLS), CELLS.num_vertices)[0, 1] > 0.9
    # What is measured is looked up, and nothing is fitted if that is the latency of all cells.
    mixed = CellArray.from_cells([table.cells[3], small_table.cells[90], table.cells[1]])
    expected = [seconds[3], float(model.estimator.predict(mixed)[1]), seconds[1]]
    assert model(mixed).tolist() == expected
    complete = stored_latencies(path, Domain(table.space, table.cells))
    assert complete.estimator is None
    assert np.array_equal(complete(table.cells), seconds)


@pytest.mark.parametrize(("unit", "seconds"), [("s", 1.0), ("ms", 1e-3), ("us", 1e-6)])
def test_latencies_are_read_in_their_unit(
    small_table: Table, tmp_path: Path, unit: str, seconds: float
) -> None:
    domain = Domain(small_table.space)
    table = small_table.subset(slice(0, 60))
    latencies = 1.0 + table.cells.num_vertices
    targets = {"latency": latencies, f"latency_{unit}": latencies, "energy_mJ": latencies}
    about = {"units": {"latency": unit}}
    table = Table(table.cells, table.metrics, table.budgets, about, targets=targets)
    table.save(tmp_path / "t.hdf5")
    expected = 1.0 + CELLS.num_vertices
    model = stored_latencies(tmp_path / "t.hdf5", domain)
    np.testing.assert_allclose(model(CELLS) / seconds, expected, rtol=0.2)
    np.testing.assert_allclose(model(table.cells) / seconds, latencies)  # looked up
    for metric in ("latency", f"latency_{unit}"):
        protocol = Protocol("60", label=LabelPolicy(metric))
        TrainedPredictor.train(table, protocol, "fast").save(tmp_path / metric)
        model = stored_latencies(tmp_path / metric, domain)
        np.testing.assert_allclose(model(CELLS) / seconds, expected, rtol=0.2)
    protocol = Protocol("60", label=LabelPolicy("energy_mJ"))
    TrainedPredictor.train(table, protocol, "fast").save(tmp_path / "energy")
    with pytest.raises(SettingsError, match="must be one of s, ms, us, ns, got 'mJ'"):
        stored_latencies(tmp_path / "energy", domain)


def test_a_latency_of_a_table_is_called_measured(small_table: Table, tmp_path: Path) -> None:
    evaluator = TableEvaluator(small_table)
    limits = Constraints(max_latency=0.05)
    known = {digest.decode(): 0.04 for digest in small_table.hashes.tolist()}
    model = LatencyModel(None, "as in t.hdf5", measured=300, known=known)
    evaluator.latency = model
    strategy = make_strategy("random", evaluator, n=2, k=2, recipe="fast", constraints=limits)
    result = search(strategy, evaluator, 4, 0, limits)
    record = LatencyRecord(tmp_path, model, 0.05, None)
    record.add(list(result.history))
    record.end(evaluator, result.answer)
    facts = SearchFacts(result, latency=stored_latency(tmp_path)).answer()
    (fact,) = (fact for fact in facts if fact.name.startswith("latency"))
    assert (fact.name, fact.value) == ("latency, measured", "40 ms")
    assert fact.note == "limit 50 ms; as in t.hdf5"


def test_latencies_of_whole_networks(
    small_table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The network of a cell is a chain whose length is the number of its vertices."""

    def build(cell):
        return chain(cell.num_vertices), torch.zeros(1, 64)

    networks = NetworkArray.from_graphs(
        graph_of(chain(depth, width), torch.zeros(1, 64))
        for depth in range(1, 9)
        for width in (32, 64, 96)
    )
    seconds = 1e-8 * networks.macs
    names = [json.dumps({"family": f"depth {i // 3}", "width": i % 3}) for i in range(24)]
    table = NetworkTable(networks, names, {"latency": seconds})
    table.save(tmp_path / "t.hdf5")
    monkeypatch.setattr(latency, "shipped_latencies", lambda: table)
    table.about["processor"] = "a processor"
    domain = Domain(small_table.space, small_table.cells)
    wanted = 1e-8 * 64 * 64 * CELLS.num_vertices
    for path in (tmp_path / "t.hdf5", latency.SHIPPED):
        model = stored_latencies(path, domain, build)
        errors = np.abs(model(CELLS) / wanted - 1)
        assert np.median(errors) < 0.15
        described = model.describe()
        assert described["measured_cells"] == 24
        assert described["median_error"] == pytest.approx(np.median(errors), abs=0.1)
        assert described["error_90"] > described["median_error"]
    assert model.device.startswith("a processor")
    with pytest.raises(SettingsError, match="need the networks of the cells"):
        stored_latencies(latency.SHIPPED, domain)


def test_the_measured_latency_of_the_answer(
    small_table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluator = TableEvaluator(small_table)
    strategy = make_strategy("random", evaluator, n=4, k=4, recipe="fast")
    result = search(strategy, evaluator, 4, 0)
    measured = []

    def measure(network: object, device: str) -> Latency:
        measured.append((network, device))
        return Latency(0.5, 0.25, 1.0, 20, 1, "a processor")

    monkeypatch.setattr(latency, "measure_latency", measure)
    monkeypatch.setattr(evaluator, "network", lambda cell: cell.hash)
    model = LatencyModel.fit(CELLS, SECONDS, "cpu")
    record = LatencyRecord(tmp_path, model, 0.7, "cpu")
    record.add(list(result.history)[:3])
    record.add(list(result.history)[3:])
    stopped = stored_latency(tmp_path)
    assert (stopped["measured"], stopped["measured_on"], stopped["limit"]) == (None, "cpu", 0.7)
    (fact,) = (
        fact
        for fact in SearchFacts(result, latency=stopped).answer()
        if fact.name.startswith("latency")
    )
    predicted = stopped["cells"][result.answer.cell.hash]
    assert (fact.name, fact.value) == ("latency, predicted", f"{1e3 * predicted:.3g} ms")
    record.end(evaluator, None)
    assert stored_latency(tmp_path) == stopped
    record.end(evaluator, result.answer)
    assert measured == [(result.answer.cell.hash, "cpu")]
    found = stored_latency(tmp_path)
    assert (found["measured"], found["measured_on"]) == (0.5, "cpu")
    assert found["cells"][result.answer.cell.hash] == found["predicted"]
    assert set(found["cells"]) == {query.cell.hash for query in result.history}


def chain(depth: int, width: int = 64) -> nn.Module:
    layers = [nn.Linear(width, width) for _ in range(depth - 1)]
    return nn.Sequential(nn.Linear(64, width), *layers)
