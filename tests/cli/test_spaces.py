"""``--space file.py:NAME``: from a folder of images to a network of own operations."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from pyg_nas.cli.spaces import chosen_space, scored_source
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import SettingsError
from pyg_nas.graphs import Cell, open_space
from pyg_nas.graphs.registry import default_space
from pyg_nas.measure.trained_network.folder import read_network_settings
from tests.cli.command import pyg_nas
from tests.measure.images import make_folder
from tests.own_space import forget, write_stem


def test_a_space_is_chosen_by_name_or_file(space_file: Path) -> None:
    assert chosen_space(None) is default_space()
    assert chosen_space("nasbench201").name == "nasbench201"
    assert chosen_space(f"{space_file}:SPACE").name == "users"
    assert scored_source(f"{space_file}:SPACE") == "users"
    assert scored_source(f"{space_file}:stem") == f"{space_file}:stem"  # a function
    assert scored_source("graphs.jsonl") == "graphs.jsonl"


@pytest.mark.usefixtures("undrawn")
def test_a_folder_of_images_becomes_a_network(
    space_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stem = write_stem(space_file.with_name("stem.pt"), channels=3)
    photos = make_folder(tmp_path / "photos", sizes=((8, 8),), per_class=12)
    (tmp_path / "settings.json").write_text(json.dumps({"batch_size": 4, "num_stacks": 1}))
    space = ("--space", f"{space_file}:SPACE")
    search, network = tmp_path / "search", tmp_path / "network"
    begin = (
        "search", photos, "--out", search, "--settings", tmp_path / "settings.json", *space,
        "--method", "random", "--n", 2, "--k", 1, "--budget", 1, "--device", "cpu",
    )  # fmt: skip
    assert pyg_nas(*begin) == 0
    assert pyg_nas(*begin) == 0  # finished, and the space is the same

    finish = ("finish", search, "--out", network, "--top", 1, "--seeds", 2, "--device", "cpu")
    forget(monkeypatch)
    capsys.readouterr()
    assert pyg_nas(*finish) == 2
    assert "cells of 'users' have no network" in (message := capsys.readouterr().err)
    assert "FILE.py:NAME with --space" in message
    assert pyg_nas("report", search, "--out", tmp_path / "report.html") == 0

    def left_out() -> None:
        raise SettingsError("left out, as it takes seconds")

    monkeypatch.setattr("pyg_nas.measure.trained_network.export.check_onnx", left_out)
    assert pyg_nas(*finish, *space) == 0
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.integers(0, 256, (5, 3, 8, 8)).astype(np.float32))
    program = torch.export.load(network / "network.pt2")
    cell = Cell.from_dict(read_network_settings(network)["cell"], open_space(f"{space_file}:SPACE"))
    loaded = cell.build(weights=network)
    torch.testing.assert_close(program.module()(images), loaded(images), rtol=1e-4, atol=1e-5)
    kept = {
        name.partition("0.module.")[2]: tensor
        for name, tensor in program.state_dict.items()
        if ".0.module." in name
    }
    assert kept.keys() <= stem.keys()
    assert len(kept) >= 4
    for name, tensor in kept.items():
        assert torch.equal(tensor, stem[name]), name
    assert program.module()(images).shape == (5, 2)


def test_its_cells_are_measured_learned_scored_and_asked_for(
    space_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_stem(space_file.with_name("stem.pt"), channels=3)
    np.savez(
        tmp_path / "images.npz",
        images=np.random.default_rng(0).integers(0, 256, (40, 6, 6, 3), dtype=np.uint8),
        labels=np.arange(40) % 2,
    )
    (tmp_path / "settings.json").write_text(json.dumps({"batch_size": 4, "num_stacks": 1}))
    space, table = ("--space", f"{space_file}:SPACE"), tmp_path / "table.hdf5"
    assert pyg_nas(
        "measure", tmp_path / "images.npz", "--settings", tmp_path / "settings.json", *space,
        "--cells", 12, "--budgets", 1, "--seeds", 1, "--backend", "sequential", "--device", "cpu",
        "--journal", tmp_path / "runs.sqlite", "--table", table,
    ) == 0  # fmt: skip
    total = len(open_space(f"{space_file}:SPACE").support.cells())
    assert len(Table.load(table)) == 12
    assert (
        pyg_nas("train", table, "--recipe", "fast", "--split", "all", "--out", tmp_path / "model")
        == 0
    )
    scores = tmp_path / "scores.csv"
    assert pyg_nas("predict", tmp_path / "model", *space, "--out", scores) == 0
    assert len(scores.read_text().splitlines()) == total + 1
    capsys.readouterr()
    assert pyg_nas("ask", tmp_path / "asked", *space, "--n", 2) == 0
    texts = [line.split(" ", 1)[1] for line in capsys.readouterr().out.splitlines()]
    assert [
        Cell.from_text(text, open_space(f"{space_file}:SPACE")).to_text() for text in texts
    ] == texts
    assert pyg_nas("tell", tmp_path / "asked", 0, "--accuracy", 0.5) == 0


def test_what_is_no_space_is_refused_before_anything_is_written(
    space_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, why in (
        (f"{space_file}:OPERATIONS", "must be a search space"),
        (f"{space_file}:NAME", "has no attribute 'NAME'"),
        (f"{tmp_path}/none.py:SPACE", "no such file"),
        ("nasbench102", "is not one of nasbench101"),
    ):
        out = tmp_path / "search"
        assert pyg_nas("search", "digits", "--space", name, "--out", out) == 2
        assert why in " ".join(capsys.readouterr().err.split())
        assert not out.exists()
