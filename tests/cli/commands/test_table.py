from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from pyg_nas.cli.app import main
from pyg_nas.data.tables.official_file import write_official
from pyg_nas.data.tables.table import Table
from tests.cli.command import pyg_nas


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """Run ``pyg-nas table ...`` in this process and return its exit code."""
    monkeypatch.setattr(sys, "argv", ["pyg-nas", "table", *map(str, arguments)])
    monkeypatch.setenv("COLUMNS", "200")
    try:
        main()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


@pytest.fixture
def whole_table(small_table: Table) -> Table:
    table = small_table.subset(np.arange(12))
    table.metrics[:, :, 2] = table.metrics[:, :, 1]
    table.metrics[:, :2, 2] = np.nan
    return table


def test_convert_and_export_are_inverse(
    whole_table: Table,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole_table.metrics[:, 2:, :] = np.clip(whole_table.metrics[:, 2:, :], 0, None)
    whole_table.save(tmp_path / "a.hdf5")
    assert run(monkeypatch, "export", tmp_path / "a.hdf5", tmp_path / "a.tfrecord") == 0
    assert "120 records of 12 cells" in capsys.readouterr().out.replace("\n", " ")
    assert run(monkeypatch, "convert", tmp_path / "a.tfrecord", tmp_path / "b.hdf5") == 0
    assert "12 cells" in capsys.readouterr().out
    back = Table.load(tmp_path / "b.hdf5")
    np.testing.assert_array_equal(back.metrics, whole_table.metrics)
    assert back.cells == whole_table.cells


def test_info_shows_what_is_measured_and_the_best_cells(
    whole_table: Table,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole_table.metrics[:, 3, :, 1, 2] = 0.5
    whole_table.metrics[7, 3, :, 1, 2] = 0.75
    whole_table.save(tmp_path / "a.hdf5")
    assert run(monkeypatch, "info", tmp_path / "a.hdf5") == 0
    out = capsys.readouterr().out
    # 2 of 12 (budget, run) pairs are missing.
    assert "16.7 % of 1,152 numbers" in out
    assert "66.7 %" in out
    assert "100.0 %" in out
    best = out[out.index("Best cells") :]
    assert best.index(whole_table.hashes[7].decode()) < best.index(whole_table.hashes[0].decode())
    assert "0.75" in best


def test_info_and_check_take_graph_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    graphs = tmp_path / "graphs.jsonl"
    graphs.write_text(
        '{"ops": ["[bold]a", "b"], "edges": [[0, 1]], "y": 0.5}\n{"ops": ["b"], "edges": []}\n'
    )
    assert run(monkeypatch, "info", graphs) == 0
    out = capsys.readouterr().out
    assert "[bold]a, b" in out
    assert "50.0 %" in out
    assert run(monkeypatch, "check", graphs) == 0
    assert "2 cells" in capsys.readouterr().out


def test_info_of_a_table_without_measurements(
    small_table: Table,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = small_table.subset(np.arange(3))
    table.metrics[:] = np.nan
    table.save(tmp_path / "a.hdf5")
    assert run(monkeypatch, "info", tmp_path / "a.hdf5") == 0
    out = capsys.readouterr().out
    assert "Nothing is measured" in out
    assert "Best cells" not in out


def test_check_passes_the_valid_and_refuses_the_invalid(
    small_table: Table,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = small_table.subset(np.arange(5))
    table.save(tmp_path / "a.hdf5")
    assert run(monkeypatch, "check", tmp_path / "a.hdf5") == 0
    assert "5 cells, all valid" in capsys.readouterr().out
    table.trainable_parameters[3] += 1
    table.save(tmp_path / "a.hdf5")
    assert run(monkeypatch, "check", tmp_path / "a.hdf5") == 2
    error = capsys.readouterr().err
    assert "cell 3" in error
    assert "trainable_parameters" in error


def test_invalid_input_is_one_line_and_exit_code_2(
    whole_table: Table,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_official(whole_table, tmp_path / "a.tfrecord")
    damaged = bytearray((tmp_path / "a.tfrecord").read_bytes())
    damaged[200] ^= 1
    (tmp_path / "a.tfrecord").write_bytes(damaged)
    assert run(monkeypatch, "convert", tmp_path / "a.tfrecord", tmp_path / "b.hdf5") == 2
    error = [line for line in capsys.readouterr().err.splitlines() if "error:" in line]
    assert len(error) == 1
    assert "byte 0: the record's content does not match its checksum" in error[0]
    assert [p.name for p in tmp_path.iterdir()] == ["a.tfrecord"]
    for command in (
        ("convert", tmp_path / "a.tfrecord", tmp_path / "b.csv"),
        ("import", tmp_path / "a.tfrecord", tmp_path / "b.csv", "--space", "nasbench201"),
    ):
        assert run(monkeypatch, *command) == 2
        assert "b.csv: a table's name must end in .hdf5 or .h5" in capsys.readouterr().err
    for command in ("info", "check"):
        assert run(monkeypatch, command, tmp_path / "none.hdf5") == 2
        assert "no such file" in capsys.readouterr().err


def test_download_goes_to_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from pyg_nas.io.remote_file import RemoteFile
    from pyg_nas.spaces.nasbench101.support import SUPPORT

    asked: list[tuple[RemoteFile, Path]] = []

    def fake(remote: RemoteFile, folder: Path, progress: object) -> Path:
        asked.append((remote, folder))
        return folder / remote.name

    monkeypatch.setattr("pyg_nas.io.download.download", fake)
    assert run(monkeypatch, "download", "full", "--out", tmp_path) == 0
    assert asked == [(SUPPORT.official_files["full"], tmp_path)]
    assert "nasbench_full.tfrecord: complete" in capsys.readouterr().out.replace("\n", "")


def test_architectures_go_in_and_out_as_csv(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from pyg_nas.spaces.nasbench201 import official_texts

    texts = official_texts()
    lines = [f"{texts[i]},{50 + i},{i / 4}" for i in range(40)]
    source = tmp_path / "in.csv"
    source.write_text("arch,validation_accuracy,latency\n" + "\n".join(lines) + "\n")
    table, out = tmp_path / "t.hdf5", tmp_path / "out.csv"
    assert pyg_nas("table", "import", source, table, "--space", "nasbench201") == 0
    assert "read as percent" in capsys.readouterr().out
    assert pyg_nas("table", "check", table) == 0
    assert pyg_nas("table", "export", table, out) == 2
    assert "CSV is written with --csv alone" in capsys.readouterr().err
    assert not out.exists()
    assert pyg_nas("table", "export", table, out, "--csv") == 0
    assert out.read_text().splitlines()[1].startswith(f"{texts[0]},200,0,,,0.5,,0.0")
    model, scores = tmp_path / "m", tmp_path / "s.csv"
    train = ("train", table, "--split", 30, "--recipe", "fast", "--metric", "latency")
    assert pyg_nas(*train, "--out", model) == 0
    assert pyg_nas("predict", model, "--space", "nasbench201", "--out", scores) == 0
    header, first, *others = scores.read_text().splitlines()
    assert header.startswith("hash,score,row,arch")
    assert len(others) == 15_624
    row = int(first.split(",")[2])
    assert first.split(",")[3] == texts[row]


def test_a_bad_architecture_is_one_line_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "in.csv"
    source.write_text("arch,validation_accuracy\n|conv~0|,0.5\n")
    assert pyg_nas("table", "import", source, tmp_path / "t.hdf5", "--space", "nasbench201") == 2
    assert "line 2: operation 'conv' in" in _one_line(capsys)
    assert not (tmp_path / "t.hdf5").exists()
    assert pyg_nas("table", "import", source, tmp_path / "t.hdf5", "--space", "nasbench7") == 2
    assert "'nasbench7' is not one of nasbench101, nasbench201" in _one_line(capsys)


def _one_line(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().err.split())
