"""Tables and searches as data frames."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyg_nas.data.tables.table import Table
from pyg_nas.errors import SettingsError, SpaceError, TableError
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.search.ask_tell import Search
from pyg_nas.search.evaluators.table import TableEvaluator
from pyg_nas.search.loop import search
from pyg_nas.search.methods.strategies import RandomSearch
from pyg_nas.spaces.nasbench101 import NASBENCH101
from pyg_nas.spaces.nasbench201 import NASBENCH201

NETWORK = NASBENCH101.support.official_network
assert NETWORK is not None
OFFICIAL = NETWORK.size
DEAD_ENDS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3")
SMALL = replace(OFFICIAL, stem_channels=16)


@pytest.fixture
def table() -> Table:
    metrics = np.full((12, 2, 2, 2, 4), np.nan, dtype=np.float32)
    metrics[:, :, :, 1, :] = np.random.default_rng(0).uniform(size=(12, 2, 2, 4))
    metrics[3, 1, 1] = np.nan
    targets = {"latency": np.arange(12.0)}
    return Table(sample_cells(12, seed=0), metrics, budgets=(4, 12), targets=targets)


def test_a_frame_becomes_the_table_it_came_from(table: Table) -> None:
    pytest.importorskip("pandas")
    frame = table.to_pandas()
    assert frame["validation_accuracy/12/1/end"][0] == table.metrics[0, 1, 1, 1, 2]
    assert not any("halfway" in name for name in frame.columns)  # never measured
    again = Table.from_pandas(frame, about={"task": "mine"})
    assert again.cells == table.cells
    assert again.budgets == table.budgets
    np.testing.assert_array_equal(again.metrics, table.metrics)
    np.testing.assert_array_equal(again.targets["latency"], table.targets["latency"])
    assert again.about == {"task": "mine"}


@pytest.mark.parametrize("about", [{"networks": "not known"}, {"network": asdict(SMALL)}, {}])
def test_parameters_stay_those_of_the_trained_networks(table: Table, about: dict[str, Any]) -> None:
    pytest.importorskip("pandas")
    table = Table(table.cells, table.metrics, table.budgets, about)
    size = SMALL if "network" in about else None
    counts = table.cells.trainable_parameters(size)
    assert table.trainable_parameters.tolist() == ([-1] * 12 if "networks" in about else [*counts])
    again = Table.from_pandas(table.to_pandas())
    again.check()
    assert again.trainable_parameters.tolist() == table.trainable_parameters.tolist()
    assert again.network_size == (None if about else OFFICIAL)
    frame = table.to_pandas().assign(trainable_parameters=[0.5] * 12)
    with pytest.raises(TableError, match=r"whole numbers below 2\*\*31, got 0\.5"):
        Table.from_pandas(frame)


def test_drawings_of_one_cell_stay_rows_of_their_own(tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    texts = [f"|nor_conv_3x3~0|+|none~0|{op}~1|+|skip_connect~0|none~1|none~2|" for op in DEAD_ENDS]
    cells = NASBENCH201.support.cells_of_texts(texts)
    assert len(set(cells.hashes().tolist())) == 1
    metrics = np.full((len(texts), 1, 1, 2, 4), 0.5, dtype=np.float32)
    table = Table(cells, metrics, (200,), texts=texts)
    frame = table.to_pandas()
    again = Table.from_pandas(frame.assign(arch=[f" {text}" for text in texts]), "nasbench201")
    assert again.texts == table.texts
    assert again.trainable_parameters.tolist() == table.trainable_parameters.tolist()
    assert len(set(again.trainable_parameters.tolist())) == 3
    again.save(tmp_path / "t.hdf5")
    another = texts[0].replace("skip_connect", "none")
    with pytest.raises(TableError, match=r"row 1 of the .*'\|nor.*' is a drawing of another"):
        Table.from_pandas(frame.assign(arch=[texts[0], another, *texts[2:]]), "nasbench201")
    with pytest.raises(TableError, match="row 0 of the data frame: an architecture of 'nasbench2"):
        Table.from_pandas(frame.assign(arch="conv"), "nasbench201")


def test_a_target_does_not_replace_another_column(table: Table) -> None:
    pytest.importorskip("pandas")
    for name in ("hash", "trainable_parameters", "arch"):
        wrong = Table(table.cells, table.metrics, table.budgets, targets={name: np.arange(12)})
        with pytest.raises(TableError, match=f"target '{name}' cannot be a column of a data fra"):
            wrong.to_pandas()


def test_a_space_is_named(table: Table) -> None:
    pytest.importorskip("pandas")
    assert Table.from_pandas(table.to_pandas(), "nasbench101").cells == table.cells
    with pytest.raises(SpaceError, match="'nowhere' is not one of"):
        Table.from_pandas(table.to_pandas(), "nowhere")


def test_a_search_is_a_frame_of_its_queries(table: Table) -> None:
    pytest.importorskip("pandas")
    result = search(RandomSearch(), TableEvaluator(table), 6)
    frame = result.to_pandas()
    assert frame["hash"].tolist() == [query.cell.hash for query in result.history]
    np.testing.assert_array_equal(frame["best_accuracy"], np.maximum.accumulate(frame["accuracy"]))
    assert result.regret is not None
    np.testing.assert_array_equal(frame["regret"], result.regret)


def test_the_frame_of_a_search_becomes_a_table(table: Table) -> None:
    pytest.importorskip("pandas")
    result = search(RandomSearch(), TableEvaluator(table), 6)
    again = Table.from_pandas(result.to_pandas())
    assert again.cells.hashes().tolist() == [query.cell.hash.encode() for query in result.history]
    assert again.budgets == (108,)
    tests = [query.outcome.test_accuracy for query in result.history]
    np.testing.assert_allclose(again.metrics[:, 0, 0, 1, 3], np.array(tests, dtype=np.float32))
    np.testing.assert_array_equal(again.targets["accuracy"], result.history.accuracies)


def test_a_metric_alone_is_read_as_in_a_csv_file(table: Table) -> None:
    pytest.importorskip("pandas")
    frame = table.to_pandas()[["operations", "edges"]].assign(validation_accuracy=0.5)
    again = Table.from_pandas(frame)
    assert (again.budgets, again.num_runs) == ((108,), 1)
    assert (again.metrics[:, 0, 0, 1, 2] == 0.5).all()
    assert np.isnan(again.metrics).sum() == again.metrics.size - len(table)


def test_frames_that_are_no_tables_are_refused_by_name(table: Table) -> None:
    pandas = pytest.importorskip("pandas")
    frame = table.to_pandas()
    with pytest.raises(TableError, match="needs the column 'edges'"):
        Table.from_pandas(frame.drop(columns="edges"))
    with pytest.raises(TableError, match="column 'latency' of the data frame must contain numbers"):
        Table.from_pandas(frame.assign(latency="fast"))
    twice = frame.rename(columns={"test_accuracy/12/0/end": "test_accuracy/108/0/end"})
    with pytest.raises(TableError, match="test_accuracy/108/0/end, test_accuracy of the data fra"):
        Table.from_pandas(twice.assign(test_accuracy=0.5))
    doubled = pandas.concat([frame, frame[["test_accuracy/12/0/end"]]], axis=1)
    with pytest.raises(TableError, match="must differ, 'test_accuracy/12/0/end' is there twice"):
        Table.from_pandas(doubled)
    wrong = pandas.DataFrame({"operations": [["input", "fly", "output"]], "edges": [[(0, 1)]]})
    with pytest.raises(TableError, match=r"row 0 of the data frame: .*fly.*give the .* `space`$"):
        Table.from_pandas(wrong)
    with pytest.raises(TableError, match=r"fly.*maxpool3x3$"):
        Table.from_pandas(wrong, "nasbench101")


def test_the_frame_of_a_search_in_another_space_becomes_a_table() -> None:
    pytest.importorskip("pandas")
    own = Search(None, "nasbench201", method="random")
    empty = Table.from_pandas(own.result.to_pandas(), "nasbench201")
    assert (len(empty), empty.space.name) == (0, "nasbench201")
    candidates = own.ask(3)
    for candidate in candidates:
        own.tell(candidate.id, accuracy=0.5, test_accuracy=0.4)
    again = Table.from_pandas(own.result.to_pandas(), "nasbench201")
    assert again.budgets == (200,)
    assert again.cells.hashes().tolist() == [c.cell.hash.encode() for c in candidates]
    np.testing.assert_allclose(again.metrics[:, 0, 0, 1, 3], 0.4)


def test_what_is_not_known_of_a_search_is_nan(table: Table) -> None:
    pandas = pytest.importorskip("pandas")
    own = Search(None, "nasbench101", method="random")
    for candidate in own.ask(2):
        own.tell(candidate.id, accuracy=0.5)
    frame = own.result.to_pandas()
    for name in ("seconds", "test_accuracy", "predicted"):
        assert pandas.api.types.is_float_dtype(frame[name])
        assert frame[name].isna().all()
    assert pandas.api.types.is_integer_dtype(frame["parameters"])


def test_without_pandas_the_install_line_is_named(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(SettingsError, match=r"pip install '\.\[pandas\]'"):
        table.to_pandas()
