"""Tables of networks: what is written is read, and what is damaged is refused."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path

import h5py
import numpy as np
import pytest

from pyg_nas.data.networks.table import NetworkTable, is_network_table
from pyg_nas.data.protocols.labels import LabelPolicy
from pyg_nas.data.protocols.protocol import Protocol
from pyg_nas.errors import SettingsError, TableError
from pyg_nas.spaces.modules.network_array import NetworkArray
from pyg_nas.spaces.modules.network_graph import ATTRIBUTES, NetworkGraph, Vertex
from tests.spaces.modules.networks import random_network

GRAPHS = NetworkArray.from_graphs(random_network(6 + seed % 5, seed) for seed in range(12))
NAMES = [f"netz ä {row}" for row in range(12)]


def table() -> NetworkTable:
    latency = np.arange(1.0, 13.0)
    latency[3] = np.nan
    return NetworkTable(GRAPHS, NAMES, {"latency": latency}, {"device": "cpu"})


def test_what_is_written_is_read(tmp_path: Path) -> None:
    table().save(tmp_path / "t.hdf5")
    found = NetworkTable.load(tmp_path / "t.hdf5")
    for field in fields(NetworkArray):
        wanted, got = getattr(GRAPHS, field.name), getattr(found.networks, field.name)
        np.testing.assert_array_equal(got, wanted)
        assert got.dtype == wanted.dtype
    assert (list(found.names), found.about) == (NAMES, {"device": "cpu"})
    np.testing.assert_array_equal(found.targets["latency"], table().targets["latency"])
    assert is_network_table(tmp_path / "t.hdf5")


def test_rows_are_chosen_in_every_form() -> None:
    mask = np.arange(12) % 5 == 0
    for rows in ([0, 5, 10], np.array([0, 5, 10]), slice(None, None, 5), mask, mask.tolist()):
        part = table()[rows]
        assert part.names == (NAMES[0], NAMES[5], NAMES[10])
        assert part.targets["latency"].tolist() == [1, 6, 11]
        assert part.hashes.tolist() == GRAPHS.hashes[[0, 5, 10]].tolist()
    assert len(table()[[]]) == 0
    with pytest.raises(TypeError, match="indexed by rows"):
        table()[3]


def test_thresholds_are_those_of_accuracies() -> None:
    latency, accuracy = np.linspace(0.001, 0.99, 12), np.linspace(0.99, 0.5, 12)
    protocol = Protocol("80-12", "denoise-80", label=LabelPolicy("latency", run=None))
    costs = NetworkTable(GRAPHS, NAMES, {"latency": latency})
    for used in (protocol, Protocol("3", "denoise-80"), Protocol("80-12")):
        with pytest.raises(SettingsError, match="need accuracies, 'latency' is a cost"):
            used.apply(costs)
    both = NetworkTable(GRAPHS, NAMES, {"latency": latency, "accuracy": accuracy})
    assert sorted(protocol.apply(both).train) == np.flatnonzero(accuracy > 0.8).tolist()


def test_names_that_are_no_text_are_written_as_their_codes(tmp_path: Path) -> None:
    named = NetworkTable(GRAPHS, [*NAMES[1:], os.fsdecode(b"caf\xe9.onnx")])
    assert named.names[-1] == "caf\\udce9.onnx"
    named.write_csv(tmp_path / "t.csv")
    assert "caf\\udce9.onnx" in (tmp_path / "t.csv").read_text(encoding="utf-8")


def test_bytes_of_format_1_are_corrected(tmp_path: Path) -> None:
    """In format 1 views had bytes that they read, and operations in place wrote none."""
    before = [  # operation, bytes read and written, numbers of the result
        ("input", 0, 0, 64),
        ("conv", 500, 256, 64),
        ("relu", 256, 0, 64),  # in place
        ("reshape", 256, 0, 64),  # a view
        ("reshape", 256, 256, 64),  # a copy
        ("cast", 256, 0, 64),  # to the same type
        ("embedding", 4032, 128, 32),
        ("output", 0, 0, 64),
    ]
    graph = NetworkGraph(
        tuple(
            Vertex(name, sources=(i - 1,) if i else (), shape=(n,), bytes_read=r, bytes_written=w)
            for i, (name, r, w, n) in enumerate(before)
        )
    )
    path = tmp_path / "t.hdf5"
    NetworkTable(NetworkArray.from_graphs([graph]), ["a"]).save(path)
    with h5py.File(path, "r+") as file:
        file.attrs["pyg_nas"] = file.attrs["pyg_nas"].replace(b'"format": 2', b'"format": 1')
    found = NetworkTable.load(path).networks.attributes
    columns = [ATTRIBUTES.index(name) for name in ("log bytes read", "log bytes written")]
    moved = np.expm1(found[:, columns].astype(float)).round().tolist()
    wanted = [[0, 0], [500, 256], [256, 256], [0, 0], [256, 256], [0, 0], [128, 128], [0, 0]]
    assert moved == wanted
    rest = [i for i in range(len(ATTRIBUTES)) if i not in columns]
    np.testing.assert_array_equal(found[:, rest], graph.attributes()[:, rest])


def test_a_long_description_is_kept(tmp_path: Path) -> None:
    about = {"machine": "x" * 100_000}
    NetworkTable(GRAPHS, NAMES, about=about).save(tmp_path / "t.hdf5")
    assert NetworkTable.load(tmp_path / "t.hdf5").about == about


def test_a_frame_has_the_columns_of_the_csv_file(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    table().write_csv(tmp_path / "t.csv")
    written = pandas.read_csv(tmp_path / "t.csv")
    pandas.testing.assert_frame_equal(table().to_pandas(), written, check_dtype=False)


def test_labels_are_targets_and_numbers_of_the_graphs() -> None:
    assert table().default_label.metric == "latency"
    assert not table().default_label.larger_is_better
    labelled = NetworkTable(
        table().cells, table().names, {"validation_accuracy": np.ones(len(table()))}
    )
    assert str(labelled.default_label) == "validation accuracy"
    assert table().label(LabelPolicy(metric="macs")).tolist() == GRAPHS.macs.tolist()
    with pytest.raises(SettingsError, match="'energy' is not in the table, it has latency, param"):
        table().label(LabelPolicy(metric="energy"))


def test_a_protocol_leaves_out_what_is_not_measured_and_what_trains() -> None:
    split = Protocol(train="5").apply(table())
    assert len(split.train) == 5
    assert 3 not in {*split.train.tolist(), *split.evaluate.tolist()}
    assert not set(split.train.tolist()) & set(split.evaluate.tolist())
    assert len(split.evaluate) == 6
    part = table().subset(np.array([2, 0]))
    assert part.names == ("netz ä 2", "netz ä 0")
    assert part.targets["latency"].tolist() == [3.0, 1.0]


@pytest.mark.parametrize(
    ("targets", "message"),
    [({"macs": np.zeros(12)}, "'macs'"), ({"a/b": np.zeros(12)}, "slash"), ({"a": [1]}, "12")],
)
def test_invalid_targets(targets: dict[str, object], message: str) -> None:
    with pytest.raises(TableError, match=message):
        NetworkTable(GRAPHS, NAMES, targets)  # type: ignore[arg-type]


def _replace(name: str, values: object):
    def change(file: h5py.File) -> None:
        del file[name]
        file[name] = values

    return change


def _with(pointers: np.ndarray, *second: int) -> np.ndarray:
    """Pointers with other numbers from the second on."""
    changed = pointers.copy()
    changed[1 : 1 + len(second)] = second
    return changed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_replace("networks/edges", GRAPHS.edges[::-1]), "later one"),
        (_replace("networks/edges", GRAPHS.edges + 1000), "later one"),
        (_replace("networks/vertex_ptr", GRAPHS.vertex_ptr[::-1]), "must rise"),
        # Differences that overflow are positive.
        (_replace("networks/vertex_ptr", _with(GRAPHS.vertex_ptr, 2**62, -(2**62) - 1)), "rise"),
        (_replace("networks/edge_ptr", _with(GRAPHS.edge_ptr, 2**62, -(2**62) - 1)), "rise"),
        # A graph without a vertex.
        (_replace("networks/vertex_ptr", _with(GRAPHS.vertex_ptr, 0)), "at least 1"),
        (_replace("networks/attributes", -GRAPHS.attributes), "from 0 on"),
        (_replace("networks/columns", np.full_like(GRAPHS.columns, 255)), "below"),
        (_replace("networks/attributes", GRAPHS.attributes * np.nan), "finite"),
        (_replace("networks/attributes", GRAPHS.attributes[:, 1:]), r"\[vertices, 12\]"),
        (_replace("networks/macs", GRAPHS.macs[1:]), r"macs must be \[12\]"),
        (_replace("targets/latency", np.full(12, np.inf)), "or NaN for not"),
        (lambda file: file.pop("networks/hashes"), "'networks/hashes' is missing"),
        (
            _replace("networks/columns", GRAPHS.columns.astype(int) + 2**32),
            "outside the range of uint8",
        ),
        (_replace("networks/macs", -GRAPHS.macs), "macs must be at least 0"),
        (_replace("networks/parameters", np.full(12, 2**63, np.uint64)), "outside the range"),
        (_replace("networks/hashes", GRAPHS.hashes[:, None]), r"hashes must be \[12\]"),
        (_replace("networks/hashes", np.full(12, b"\xff")), "must be hexadecimal digits"),
        (_replace("names", np.arange(12)), "names must have the type"),
        (_replace("names", np.full((12, 1), b"a")), r"names must be \[12\]"),
        (_replace("networks", h5py.ExternalLink("pipe", "/networks")), "a link to the file 'pipe'"),
        (_replace("targets", h5py.ExternalLink("pipe", "/targets")), "a link to the file 'pipe'"),
        (_replace("targets", h5py.SoftLink("/networks")), "is a link to another dataset"),
        (lambda file: file.attrs.pop("pyg_nas"), "format 1 or 2"),
    ],
)
def test_a_damaged_file_is_refused(change, message: str, tmp_path: Path) -> None:
    path = tmp_path / "t.hdf5"
    table().save(path)
    os.mkfifo(tmp_path / "pipe")  # opening it would wait for ever
    with h5py.File(path, "r+") as file:
        change(file)
    assert is_network_table(path)
    with pytest.raises(TableError, match=message):
        NetworkTable.load(path)


def test_the_total_size_is_checked_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table().save(tmp_path / "t.hdf5")
    largest = max(array.nbytes for array in vars(GRAPHS).values())
    monkeypatch.setattr("pyg_nas.data.networks.table.MOST_TABLE_BYTES", largest)
    with pytest.raises(TableError, match=f"claims .* bytes, at most {largest:,} are read"):
        NetworkTable.load(tmp_path / "t.hdf5")
