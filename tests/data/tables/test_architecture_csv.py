"""Tables of architectures as CSV, written by hand and from published figures."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from pyg_nas.data.protocols.labels import LabelPolicy
from pyg_nas.data.tables.architecture_csv import read_architectures, write_architectures
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import SpaceError, TableError
from pyg_nas.graphs import SearchSpace
from pyg_nas.spaces.nasbench201 import NASBENCH201, official_texts
from tests.conftest import shared_file

TEXTS = official_texts()


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_table_by_hand(tmp_path: Path) -> None:
    path = write(
        tmp_path / "t.csv",
        "seed,arch,epochs,validation_accuracy,test_accuracy,latency,comment",
        f"888,{TEXTS[7]},200,91.5,,3.5,fine",
        f"777,{TEXTS[7]},200,90.5,94,,",
        f"777,{TEXTS[2]},12,50.25,,,",
    )
    read = read_architectures(path, NASBENCH201)
    table = read.table
    assert table.texts == (TEXTS[2], TEXTS[7])  # the official order
    assert table.budgets == (12, 200)
    assert table.num_runs == 2
    assert table.metrics[1, 1, :, 1, 2].tolist() == pytest.approx([0.905, 0.915])
    assert table.metrics[1, 1, 0, 1, 3] == pytest.approx(0.94)
    assert table.metrics[0, 0, 0, 1, 2] == pytest.approx(0.5025)
    assert np.isnan(table.metrics[:, :, :, 0]).all()
    assert np.isnan(table.metrics[0, 1]).all()
    assert table.targets.keys() == {"latency"}
    assert table.label(LabelPolicy(metric="latency"))[1] == 3.5
    assert "read as percent" in read.notes[0]
    assert read.notes[1:] == [
        "runs 0 to 1 are the seeds 777, 888",
        "further targets: latency",
        "ignored, as they have no number: comment",
    ]


def test_architectures_without_the_first_run_have_a_note(tmp_path: Path) -> None:
    rows = [f"{text},{seed},0.5" for seed, text in enumerate(TEXTS[:4], start=7)]
    path = write(tmp_path / "t.csv", "arch,seed,test_accuracy", *rows)
    assert read_architectures(path, NASBENCH201).notes == [
        "runs 0 to 3 are the seeds 7, 8, 9, 10",
        "1 of 4 architectures have run 0, which is the label unless another run or the mean is "
        "chosen",
    ]


def test_small_values_in_percent_have_a_note(tmp_path: Path) -> None:
    # Of 120 classes, a network that learned nothing has 0.83 %.
    values = ("0.83", "0.91", "0", "46.5", "47.1")
    lines = (f"{text},{value}" for text, value in zip(TEXTS, values, strict=False))
    path = write(tmp_path / "t.csv", "arch,test_accuracy", *lines)
    read = read_architectures(path, NASBENCH201)
    assert read.notes == [
        "test_accuracy: read as percent, kept as fractions",
        "test_accuracy: 2 of 4 values are at most 1 and read as percent too, such as 0.83 in "
        "line 2",
    ]
    assert read.table.metrics[0, 0, 0, 1, 3] == pytest.approx(0.0083)


def test_the_latency_of_what_a_device_did_not_run_is_not_measured(tmp_path: Path) -> None:
    # As in HW-NAS-Bench; a logarithm and a correlation may be -1.
    path = write(
        tmp_path / "t.csv",
        "arch,edgetpu_latency,log_latency,jacov",
        f"{TEXTS[0]},-1,-1,-1",
        f"{TEXTS[1]},0.5,-0.25,2",
        f"{TEXTS[2]},-1.0,3,-1",
    )
    read = read_architectures(path, NASBENCH201)
    targets = read.table.targets
    np.testing.assert_array_equal(targets["edgetpu_latency"], [np.nan, 0.5, np.nan])
    assert targets["log_latency"].tolist() == [-1, -0.25, 3]
    assert targets["jacov"].tolist() == [-1, 2, -1]
    assert read.notes[0] == "edgetpu_latency: 2 values of -1 read as not measured"


def test_a_table_survives_its_files(tmp_path: Path) -> None:
    path = write(
        tmp_path / "t.csv",
        "arch,epochs,seed,training_time,validation_accuracy,energy",
        *(
            f"{text},{e},{s},{e * 1.5},0.{i + 1}{s},{i}"
            for i, text in enumerate(TEXTS[:6])
            for e in (12, 200)
            for s in (0, 1)
        ),
    )
    table = read_architectures(path, NASBENCH201).table
    table.check()
    table.save(tmp_path / "t.hdf5")
    loaded = Table.load(tmp_path / "t.hdf5")
    write_architectures(loaded, tmp_path / "again.csv")
    again = read_architectures(tmp_path / "again.csv", NASBENCH201).table
    for other in (loaded, again):
        assert other.texts == table.texts
        assert other.cells == table.cells
        assert np.array_equal(other.metrics, table.metrics, equal_nan=True)
        assert np.array_equal(other.targets["energy"], table.targets["energy"])
    assert loaded.subset([4, 1]).texts == (table.texts[4], table.texts[1])
    joined = Table.concatenate([loaded.subset([0]), loaded.subset([5])])
    assert joined.texts == (table.texts[0], table.texts[5])


def test_seeds_survive_all_files(tmp_path: Path) -> None:
    lines = [f"{TEXTS[i]},{seed},0.{i}{seed}" for i in range(3) for seed in (777, 888)]
    path = write(tmp_path / "t.csv", "arch,seed,validation_accuracy", *lines)
    read_architectures(path, NASBENCH201).table.save(tmp_path / "t.hdf5")
    table = Table.load(tmp_path / "t.hdf5").subset([2, 0])
    assert table.seeds == [777, 888]
    write_architectures(table, tmp_path / "again.csv")
    rows = (tmp_path / "again.csv").read_text().splitlines()
    assert [row.split(",")[:3] for row in rows[1:3]] == [
        [TEXTS[2], "200", "777"],
        [TEXTS[2], "200", "888"],
    ]
    # What a file says of its seeds may be anything.
    for named in ("777", [777], [777, 777], [777, "888"], [[], {}]):
        other = Table(table.cells, table.metrics, [200], {"seeds": named}, texts=table.texts)
        assert other.seeds == [0, 1]


def test_rows_in_any_order_give_one_table(tmp_path: Path) -> None:
    lines = [f"{TEXTS[i]},{s},0.{i}{s}" for i in range(5) for s in (1, 2)]
    header = "arch,seed,validation_accuracy"
    one = read_architectures(write(tmp_path / "1.csv", header, *lines), NASBENCH201).table
    two = read_architectures(write(tmp_path / "2.csv", header, *lines[::-1]), NASBENCH201).table
    assert one.texts == two.texts
    assert np.array_equal(one.metrics, two.metrics, equal_nan=True)


def test_equal_cells_keep_rows_of_their_own(tmp_path: Path) -> None:
    support = NASBENCH201.support
    codes = np.flatnonzero(support.edge_cells.representatives == 0)[:3]
    texts = [support.format_text(support.edge_cells.all_operations[c].tolist()) for c in codes]
    lines = [f"{text},0.1{i}" for i, text in enumerate(texts)]
    table = read_architectures(
        write(tmp_path / "t.csv", "arch,validation_accuracy", *lines), NASBENCH201
    ).table
    assert len(set(table.hashes.tolist())) == 1
    table.save(tmp_path / "t.hdf5")
    assert len(Table.load(tmp_path / "t.hdf5")) == 3
    # The convolutions of dead ends count, as in published figures.
    parameters = support.network.sizes(support.edge_cells.all_operations[codes])[0]
    assert sorted(table.trainable_parameters.tolist()) == sorted(parameters.tolist())


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["arch,epochs"], "has no measurement"),
        (["architecture,y", "a,1"], "line 1: needs a column 'arch'"),
        (["arch,Seed", f"{TEXTS[0]},1"], "t.csv: line 1: column 'Seed' must be named 'seed'"),
        (["arch,Test accuracy", f"{TEXTS[0]},1"], "line 1: column 'Test accuracy' must be named"),
        (["arch,y,y", f"{TEXTS[0]},1,2"], "line 1: column 'y' appears twice"),
        (["arch,y", f"{TEXTS[0]},1", "|nonsense|,2"], r"line 3: an architecture of 'nasbench201'"),
        (["arch,y", f"{TEXTS[0]},1,2"], "line 2: has 3 fields, the header 2"),
        (
            ["arch,y", TEXTS[0].replace("avg_pool_3x3", "sep_conv") + ",1"],
            r"line 2: operation 'sep_conv' in",
        ),
        (["arch,epochs,y", f"{TEXTS[0]},1.5,1"], "line 2: epochs must be a whole number from 1"),
        (["arch,epochs,y", f"{TEXTS[0]},0,1"], "line 2: epochs must be a whole number from 1"),
        (["arch,training_time", f"{TEXTS[0]},1e300"], "line 2: training_time must be empty or a"),
        (["arch,training_time", f"{TEXTS[0]},-5"], "line 2: training_time must .* from 0 to"),
        (
            ["arch,y,test_accuracy", f"{TEXTS[0]},1,", f"{TEXTS[1]},2,91.5 %"],
            "line 3: test_accuracy must be empty or a number .*, got '91.5 %'",
        ),
        (["arch,y", f"{TEXTS[0]},-1e101"], r"line 2: y must be empty or a number from -1e\+100"),
        (["arch,y", f"{TEXTS[0]},1", f"{TEXTS[1]},x"], "line 3: y must be empty or a number from"),
        (
            ["arch,validation_accuracy", f"{TEXTS[0]},90", f"{TEXTS[1]},101"],
            r"line 3: validation_accuracy must be 0 to 1 or 0 to 100, got 101",
        ),
        (
            ["arch,test_accuracy", f"{TEXTS[0]},0.9", f"{TEXTS[1]},91.5", f"{TEXTS[2]},0.8"],
            "line 3: test_accuracy mixes fractions and percent: it is 91.5, and 2 of 3 values are",
        ),
        ([",arch,y", f"0,{TEXTS[0]},1"], "t.csv: line 1: column 1 has no name; if it is the"),
        (["arch,a/b", f"{TEXTS[0]},1"], "t.csv: target 'a/b' must have a name without a slash"),
        (["arch,seed,y", f"{TEXTS[0]},1e30,1"], "line 2: seed must be a whole number from 0 to 9,"),
        (
            ["arch,y", f"{TEXTS[0]},1", "", f"{TEXTS[0]},1"],
            r"line 4: '.*' with epochs 200 and seed 0 is in line 2 already",
        ),
        (
            ["arch,seed,y", f"{TEXTS[0]},1,1", f"{TEXTS[0]},2,3"],
            r"line 3: y of '.*' is 3.0, in line 2 it is 1.0",
        ),
    ],
)
def test_bad_files_are_named_by_their_line(tmp_path: Path, lines: list[str], message: str) -> None:
    with pytest.raises(TableError, match=message):
        read_architectures(write(tmp_path / "t.csv", *lines), NASBENCH201)


def test_files_that_are_no_csv(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="no such file"):
        read_architectures(tmp_path / "missing.csv", NASBENCH201)
    (tmp_path / "bytes.csv").write_bytes(b"arch,y\n\xff\xfe,1\n")
    with pytest.raises(TableError, match="cannot be read as CSV"):
        read_architectures(tmp_path / "bytes.csv", NASBENCH201)


def test_impossible_numbers_of_columns_and_runs(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="1,000,002 columns, at most 1,000"):
        read_architectures(write(tmp_path / "t.csv", "arch," + "," * 10**6), NASBENCH201)
    rows = (f"{text},{row + 1},{row},0.5" for row, text in enumerate(TEXTS[:2000]))
    path = write(tmp_path / "t.csv", "arch,epochs,seed,test_accuracy", *rows)
    with pytest.raises(TableError, match=r"^\S+t.csv: 2,000 .* 2,000 budgets and 2,000 seeds"):
        read_architectures(path, NASBENCH201)


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"arch,validation_accuracy\n{TEXTS[0]},0.5\n", encoding="utf-8-sig")
    assert len(read_architectures(path, NASBENCH201).table) == 1


def test_a_space_without_a_text_form(tmp_path: Path) -> None:
    space = SearchSpace("plain", ("a",), 3, 3)
    with pytest.raises(SpaceError, match="have no text form"):
        read_architectures(write(tmp_path / "t.csv", "arch,y", "x,1"), space)


def test_a_stored_text_of_another_cell_is_found(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "arch,validation_accuracy", *(f"{t},0.5" for t in TEXTS[:3]))
    read_architectures(path, NASBENCH201).table.save(tmp_path / "t.hdf5")
    with h5py.File(tmp_path / "t.hdf5", "r+") as file:
        file["text"][0] = TEXTS[9].encode()
    with pytest.raises(TableError, match=r"row 0: .* is a drawing of another cell"):
        Table.load(tmp_path / "t.hdf5")


def test_the_published_table(tmp_path: Path) -> None:
    source = shared_file("nasbench201.hdf5")
    with h5py.File(source) as file:
        texts = file["arch_str"][:].astype(str)
        seeds = file["epochs200/cifar10/val_seed"][:]
        parameters = file["cost/params_cifar10"][:]
        mean = file["epochs200/cifar10/val_mean"][:]
    lines = [
        f"{text},{seed},{value:.4f}"
        for text, row in zip(texts, seeds, strict=True)
        for seed, value in zip((777, 888, 999), row, strict=True)
        if np.isfinite(value)
    ]
    path = write(tmp_path / "t.csv", "arch,seed,validation_accuracy", *lines)
    table = read_architectures(path, NASBENCH201).table
    known = np.isin(texts, table.texts)
    assert list(table.texts) == texts[known].tolist()
    assert np.array_equal(table.trainable_parameters, parameters[known])
    label = table.label(LabelPolicy(run="mean", resample_below=None))
    assert np.abs(label - mean[known] / 100).max() < 1e-5
