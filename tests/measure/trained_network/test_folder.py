"""Folders of trained networks: what is read is what was written, or is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pyg_nas.errors import ModelError
from pyg_nas.measure.tasks.task import Task
from pyg_nas.measure.trained_network.folder import load_network, read_network_settings, save_network
from pyg_nas.measure.training.trainer import train_network
from pyg_nas.predictors.storage.folder import settings_checksum

from ..conftest import TINY_SETTINGS, chain, make_tiny_task

CELL = chain("conv3x3-bn-relu", "maxpool3x3")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory, tiny_task: Task) -> Path:
    folder = tmp_path_factory.mktemp("network") / "net"
    _, network = train_network(CELL, tiny_task, 6, 0)
    save_network(folder, network, CELL, tiny_task, {"x": 1}, {"note.txt": b"yes"})
    return folder


def accuracy(network: torch.nn.Module, task: Task) -> float:
    with torch.inference_mode():
        classes = network(torch.from_numpy(task.test.images)).argmax(1).numpy()
    return float((classes == task.test.labels).mean())


@pytest.mark.parametrize("momentum", [0, 0.8, 0.997])
def test_a_rebuilt_network_has_the_accuracy_that_the_trainer_read(tmp_path: Path, momentum):
    task = make_tiny_task(replace(TINY_SETTINGS, batch_norm_momentum=momentum))
    run, network = train_network(CELL, task, 12, 1)
    save_network(tmp_path / "net", network, CELL, task, {})
    rebuilt = CELL.build(weights=tmp_path / "net")
    assert not rebuilt.training
    assert accuracy(rebuilt, task) == run.end.test_accuracy
    # Trained further it has the task's momentum, too.
    batch_norm = rebuilt.network.layers[0][1]
    assert batch_norm.momentum == momentum
    rebuilt.train()(torch.from_numpy(task.test.images)).sum().backward()
    assert batch_norm.scale.grad is not None


def test_the_folder_is_complete(saved: Path):
    assert sorted(path.name for path in saved.iterdir()) == [
        "note.txt", "settings.json", "weights.safetensors",
    ]  # fmt: skip
    assert read_network_settings(saved)["about"] == {"x": 1}
    with pytest.raises(ModelError, match="was requested"):
        chain("maxpool3x3").build(weights=saved)


def changed(change: Callable[[dict], object]) -> Callable[[Path], object]:
    def do(folder: Path) -> None:
        path = folder / "settings.json"
        settings = json.loads(path.read_text())
        change(settings)
        settings["settings_sha256"] = settings_checksum(settings)
        path.write_text(json.dumps(settings))

    return do


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "settings.json").unlink(), "settings.json is missing"),
        (lambda f: (f / "weights.safetensors").unlink(), "weights.safetensors"),
        (lambda f: (f / "settings.json").write_text('{"model": 1}'), "not the folder of a trained"),
        (
            lambda f: (f / "settings.json").write_text(
                (f / "settings.json").read_text().replace('"x": 1', '"x": 2')
            ),
            "its checksum differs",
        ),
        (
            lambda f: (f / "weights.safetensors").write_bytes(
                (f / "weights.safetensors").read_bytes()[:-1] + b"~"
            ),
            "its checksum differs",
        ),
        (changed(lambda s: s.update(format=True)), "format True"),
        (changed(lambda s: s["network"].update(stem_channels=5)), "size mismatch"),
        (changed(lambda s: s["network"].update(stem_channels=2**40)), "is not a network"),
        (changed(lambda s: s["network"].update(stem_channels="4")), "a size that can be trained"),
        (changed(lambda s: s["network"].update(num_stacks=10**9)), "a size that can be trained"),
        (changed(lambda s: s["network"].update(batch_norm_momentum=1)), "below 1"),
        (changed(lambda s: s["network"].pop("num_labels")), "num_labels|whole numbers|size"),
        (changed(lambda s: s["cell"].update(ops=["input"])), "is not a network"),
        (changed(lambda s: s.update(network=3)), "is not a network"),
    ],
)
def test_a_damaged_folder_is_refused(saved: Path, tmp_path: Path, damage, message):
    folder = tmp_path / "copy"
    shutil.copytree(saved, folder)
    damage(folder)
    with pytest.raises(ModelError, match=message):
        load_network(folder)


def test_a_folder_with_files_is_not_replaced(saved: Path, tiny_task: Task):
    with pytest.raises(OSError, match="not empty"):
        save_network(saved, load_network(saved), CELL, tiny_task, {})
    assert read_network_settings(saved)["about"] == {"x": 1}
    assert [path.name for path in saved.parent.iterdir()] == ["net"]
