"""A space in a user's file: what it is, in this process, in workers, and after a change."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from pyg_nas.data.tables.table import Table
from pyg_nas.errors import MeasureError, ModelError, SettingsError, SpaceError
from pyg_nas.graphs import Cell, open_space
from pyg_nas.graphs.registry import space_reference
from pyg_nas.measure import Journal, measure_cells
from pyg_nas.measure.campaigns.job import Job, attempt
from pyg_nas.measure.tasks.task import Task
from pyg_nas.measure.trained_network.folder import save_network
from pyg_nas.measure.training.trainer import train, train_network
from pyg_nas.search.search_folder.folder import SearchFolder
from pyg_nas.spaces.own import OwnSpace
from tests.measure.conftest import make_tiny_task
from tests.own_space import SOURCE, forget, write_stem


@pytest.fixture(scope="module")
def tiny_task() -> Task:
    return make_tiny_task()


def build(cell: Cell, task: Any) -> nn.Module:
    raise AssertionError("not called")


def test_graphs_of_the_space_need_no_network() -> None:
    space = OwnSpace("plain", {"a": nn.Identity, "b": nn.Identity}, build, max_vertices=4)
    cells = space.cells()
    assert len(cells) == len(set(cells.hashes().tolist())) == 43
    for cell in cells[:20]:
        assert space.from_text(space.to_text(cell)) == cell
    assert space.neighbours(cells[5])
    assert space.official_network is None
    with pytest.raises(SpaceError, match="no official size"):
        _ = space.network and space.network.size
    with pytest.raises(ValueError, match=r"'c' at vertex 1 is not in space 'plain': .*a, b"):
        space.from_text("010001000:input,c,output")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"operations": {"a,b": nn.Identity}}, "names of operations have .* got 'a,b'"),
        ({"operations": {"a": 3}}, "operation 'a' must be a function .* got 3"),
        ({"operations": {}}, "at least one operation"),
        ({"operations": {"input": nn.Identity}}, "operation names must differ"),
        ({"builder": 5}, "builder must be a function .* got 5"),
        ({"max_vertices": 8}, "3 to 7 vertices .* got max_vertices 8"),
        ({"max_vertices": 2}, "got max_vertices 2"),
        ({"max_edges": 1}, "and max_edges 1"),
    ],
)
def test_an_invalid_space_is_refused(changes: dict[str, Any], why: str) -> None:
    arguments = {"name": "wrong", "operations": {"a": nn.Identity}, "builder": build, **changes}
    with pytest.raises(SpaceError, match=f"space 'wrong': .*{why}"):
        OwnSpace(**arguments)


def test_cells_are_trained_with_the_pretrained_stem(space_file: Path, tiny_task: Task) -> None:
    space = open_space(f"{space_file}:SPACE")
    stem = torch.load(space_file.with_name("stem.pt"), weights_only=True)
    cell = space.support.cells()[10]
    run, network = train_network(cell, tiny_task, 2, seed=3)
    (beside, _) = train(cell, tiny_task, 2, (3, 4))
    assert run.end.validation_accuracy == pytest.approx(beside.end.validation_accuracy)
    trained = network.network.members[0]
    for name, tensor in trained[0].module.state_dict().items():
        assert torch.equal(tensor, stem[name]), name
    fresh = cell.build(tiny_task, seed=3).network.members[0]
    assert not torch.equal(trained[-1].weight, fresh[-1].weight)

    folder = space_file.with_name("network")
    save_network(folder, network, cell, tiny_task, {})
    images = torch.from_numpy(tiny_task.test.images)
    loaded = cell.build(weights=folder)
    torch.testing.assert_close(loaded(images), network(images))
    frozen = {name for name, weight in loaded.named_parameters() if not weight.requires_grad}
    assert frozen == {
        f"network.members.0.0.module.{name}"
        for name in stem
        if "running" not in name and "num" not in name
    }


def test_a_worker_imports_the_file(
    space_file: Path, tiny_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = open_space(f"{space_file}:SPACE")
    reference = space_reference(space)
    job = Job(space.support.cells()[4], 1, (0,))
    sent = pickle.dumps(job)
    forget(monkeypatch)  # as in a process that was just started
    job = pickle.loads(sent)
    alone = attempt(tiny_task, job, "cpu", 1)
    assert "have no network" in str(alone.error)
    assert "FILE.py:NAME with the argument `space`" in str(alone.error)
    assert attempt(tiny_task, job, "cpu", 1, reference).error is None


def test_a_journal_is_of_one_space_and_its_networks(
    space_file: Path, tiny_task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_changed(name: str, before: str = "", after: str = "") -> None:
        forget(monkeypatch)
        path = tmp_path / f"{name}.py"
        path.write_text(SOURCE.replace(before, after) if before else SOURCE)
        with Journal(tmp_path / "runs.sqlite", tiny_task, open_space(f"{path}:SPACE")):
            pass

    open_changed("first")
    open_changed("comment", "OPERATIONS = {", "# a comment\nOPERATIONS = {\n")
    with pytest.raises(MeasureError, match=r"networks of the space 'users' .* have changed"):
        open_changed("wider", "channels, 3, padding=1", "channels, 5, padding=2")
    with pytest.raises(MeasureError, match=r"has changed since: .*\['conv', 'norm'\] and are \['c"):
        open_changed("renamed", '"norm"', '"batch_norm"')
    write_stem(tmp_path / "stem.pt", seed=8)
    with pytest.raises(MeasureError, match="pretrained weights have changed"):
        open_changed("first")


def test_what_was_measured_is_read_without_the_file_and_never_runs_it(
    space_file: Path, tiny_task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = open_space(f"{space_file}:SPACE")
    with Journal(tmp_path / "runs.sqlite", tiny_task, space) as journal:
        cells = space.support.cells()[:2]
        table = measure_cells(cells, tiny_task, [1], 1, journal)
    assert table.network_size == tiny_task.network_size
    np.testing.assert_array_equal(
        table.trainable_parameters, cells.trainable_parameters(tiny_task.network_size)
    )
    table.save(tmp_path / "table.hdf5")
    network = cells[1].build(tiny_task)
    save_network(tmp_path / "network", network, cells[1], tiny_task, {})

    forget(monkeypatch)
    again = Table.load(tmp_path / "table.hdf5")
    again.check("table")
    assert again.cells.digest == table.cells.digest
    assert again.network_size is None
    with pytest.raises(ModelError, match=r"'users' have no network.*with the argument `space`"):
        again.cells[1].build(weights=tmp_path / "network")
    # A space that is named like the user's file is a name and nothing else.
    settings = {
        "strategy_settings": {},
        "space": {**space.to_dict(), "name": f"{space_file}:SPACE"},
    }
    folder = SearchFolder(tmp_path / "search", settings, space)
    monkeypatch.setattr("pyg_nas.graphs.registry.object_named", lambda reference: 1 / 0)
    assert SearchFolder.open(folder.path).space.support.network is None


def test_a_search_folder_names_the_changes_of_its_space(tmp_path: Path) -> None:
    def folder(**limits: int) -> None:
        space = OwnSpace("plain", {"a": nn.Identity}, build, **limits).space
        SearchFolder(tmp_path / "search", {"space": space.to_dict()}, space)

    folder()
    folder()
    with pytest.raises(SettingsError, match="another space: its max_edges were 7 and are 6"):
        folder(max_edges=6)
