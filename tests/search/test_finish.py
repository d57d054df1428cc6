"""From a search to a trained network: which cell is chosen, and what survives being killed."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import shutil
import signal
import sqlite3
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pyg_nas.errors import MeasureError, SettingsError
from pyg_nas.measure import Journal, get_task
from pyg_nas.measure.profiles.latency import Latency, processor_name
from pyg_nas.measure.tasks.source import write_task_source
from pyg_nas.measure.trained_network.folder import load_network, read_network_settings
from pyg_nas.search.constraints import Constraints
from pyg_nas.search.evaluators.live import LiveEvaluator
from pyg_nas.search.finish import Finish
from pyg_nas.search.latency_limit import FINISH_LATENCY
from pyg_nas.search.loop import search
from pyg_nas.search.methods.strategies import RandomSearch
from pyg_nas.search.search_folder.folder import JOURNAL, TASK, SearchFolder
from tests.measure.conftest import TINY_SETTINGS, save_tiny_images

PT2 = "network.pt2"


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search for cells on a small archive of images, which has trained 5 of them."""
    root = tmp_path_factory.mktemp("searched")
    images = save_tiny_images(root)
    task = get_task(images, asdict(TINY_SETTINGS))
    folder = root / "search"
    folder.mkdir()
    write_task_source(folder / TASK, images, task, None, 0)
    with Journal(folder / JOURNAL, task) as journal:
        evaluator = LiveEvaluator(task, 2, 1, journal)
        settings = {
            "strategy_settings": {}, "space": evaluator.domain.space.to_dict(),
            "evaluator": evaluator.describe(), "max_parameters": None, "max_seconds": None,
        }  # fmt: skip
        folder_ = SearchFolder(folder, settings, evaluator.domain.space)
        search(RandomSearch(), evaluator, 5, 0, Constraints(), folder_)
    return root


@pytest.fixture
def copied(searched: Path, tmp_path: Path) -> Path:
    shutil.copytree(searched / "search", tmp_path / "search")
    return tmp_path / "search"


def short_export(network: Any, part: Any, classes: Any) -> tuple[dict[str, bytes], str]:
    """Stands for the export, which takes seconds and has tests of its own."""
    return {PT2: network(torch.from_numpy(part.images)).detach().numpy().tobytes()}, "left out"


def finish(folder: Path, out: Path, **options: Any) -> dict[str, Any]:
    steps = Finish(folder, out, top=2, seeds=2, **options)
    with steps.locked():
        confirmation = steps.confirm()
        about = steps.write(confirmation, steps.train(confirmation))
        steps.clean()
    return about


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyg_nas.measure.trained_network.export.export_network", short_export)


def runs(folder: Path) -> dict[tuple[str, int, int], str]:
    with sqlite3.connect(folder / JOURNAL) as connection:
        rows = connection.execute("SELECT hash, budget, seed, end, finished FROM run").fetchall()
    return {tuple(key): f"{end} {at}" for *key, end, at in rows}  # type: ignore[misc]


def content(out: Path) -> dict[str, Any]:
    """All files, without the latency, which is measured each time."""
    files: dict[str, Any] = {path.name: path.read_bytes() for path in out.iterdir()}
    settings = json.loads(files["settings.json"])
    del settings["about"]["latency"], settings["settings_sha256"]
    files["settings.json"] = settings
    files["README.md"] = re.sub(rb"\| latency.*", b"", files["README.md"])
    return files


def test_the_folder_has_the_network_that_the_trainer_read(
    copied: Path, tmp_path: Path, quick: None
) -> None:
    before = runs(copied)
    about = finish(copied, tmp_path / "net", epochs=12)
    after = runs(copied)
    # Random seeds that the search has not used; its own run of each cell is left alone.
    assert {seed for _, _, seed in after.keys() - before.keys()} == {1, 2}
    assert len(after) == len(before) + 4
    assert before.items() <= after.items()
    assert read_network_settings(tmp_path / "net")["about"] == about
    assert about["training"] == {"epochs": 12, "seed": 0, "images": 83}
    assert sum(map(sum, about["test"]["confusion"])) == about["test"]["images"] == 21
    right = sum(row[label] for label, row in enumerate(about["test"]["confusion"]))
    assert about["test"]["accuracy"] == right / 21
    assert about["test"]["low"] < right / 21 < about["test"]["high"]
    network = load_network(tmp_path / "net")
    assert about["parameters"] == sum(p.numel() for p in network.parameters())
    assert sorted(content(tmp_path / "net")) == [
        "README.md", PT2, "predict.py", "settings.json", "weights.safetensors",
    ]  # fmt: skip
    assert not list(copied.glob("network-*"))
    assert Finish(copied, tmp_path / "net", top=2, seeds=2, epochs=12).is_done


def test_cells_that_break_the_constraints_are_left_out(copied: Path, tmp_path: Path) -> None:
    path = copied / "settings.json"
    queries = [json.loads(line) for line in (copied / "queries.jsonl").read_text().splitlines()]
    seconds = sorted(query["seconds"] for query in queries)
    path.write_text(json.dumps({**json.loads(path.read_text()), "max_seconds": seconds[2]}))
    kept = Finish(copied, tmp_path / "net").request["cells"]
    fast = [query for query in queries if query["seconds"] <= seconds[2]]
    assert kept == [
        query["hash"] for query in sorted(fast, key=lambda q: (-q["accuracy"], q["parameters"]))
    ]
    path.write_text(json.dumps({**json.loads(path.read_text()), "max_seconds": 1e-9}))
    with pytest.raises(SettingsError, match="no trained cell is within"):
        Finish(copied, tmp_path / "net")


@pytest.mark.usefixtures("quick")
def test_a_limit_on_latency_is_compared_with_the_networks(copied: Path, tmp_path: Path) -> None:
    path = copied / "settings.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "max_latency": 10.0}))
    wanted = {"limit": 10.0, "predicted": None, "device": None}
    errors: dict[str, float | None] = {"median_error": None, "error_90": None}
    # A search that was stopped has not written what it predicted.
    assert finish(copied, tmp_path / "net")["latency_limit"] == wanted | errors
    cells = {
        json.loads(line)["hash"]: 0.001 * number
        for number, line in enumerate((copied / "queries.jsonl").read_text().splitlines())
    }
    errors = {"median_error": 0.03, "error_90": 0.08}
    found = {"limit": 10.0, "device": "an absent device", "measured_on": "cuda:99"}
    (copied / "latency.json").write_text(json.dumps({**found, **errors, "cells": cells}))
    about = finish(copied, tmp_path / "other")
    predicted = cells[about["confirmation"]["chosen"]]
    wanted |= {"predicted": predicted, "device": "an absent device"}
    assert about["latency_limit"] == wanted | errors
    assert about["latency"]["processor"] == processor_name()
    assert "expected" in (tmp_path / "other" / "README.md").read_text()


def limited(folder: Path, limit: float) -> None:
    """Give a search a limit on the latency that it has measured on this processor."""
    path = folder / "settings.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "max_latency": limit}))
    found = {"device": f"cpu, {processor_name()}, 1 thread", "measured_on": "cpu"}
    (folder / "latency.json").write_text(json.dumps({**found, "limit": limit, "cells": {}}))


def measured_by_size(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Replace measured latencies by the parameters of the networks; return those measured."""
    sizes: list[int] = []

    def measure(network: tuple[torch.nn.Module, object], device: str) -> Latency:
        assert device == "cpu"
        sizes.append(sum(p.numel() for p in network[0].parameters()))
        return Latency(sizes[-1], 0.0, 1e9, 20, 1, processor_name())

    monkeypatch.setattr("pyg_nas.search.latency_limit.measure_latency", measure)
    return sizes


@pytest.mark.usefixtures("quick")
def test_cells_that_are_measured_above_the_limit_are_passed_over(
    copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = measured_by_size(monkeypatch)
    steps = Finish(copied, tmp_path / "net", top=2, seeds=2)
    sizes = steps.ranked.trainable_parameters(steps.task.network_size).tolist()
    limited(copied, float(sorted(sizes)[1]))
    fast = [row for row in range(5) if sizes[row] <= sorted(sizes)[1]]
    slow = [row for row in range(fast[-1]) if row not in fast]
    assert slow  # otherwise nothing is tested

    steps = Finish(copied, tmp_path / "net", top=2, seeds=2)
    assert [cell.hash for cell in steps.candidates.cells] == [
        steps.ranked[row].hash for row in fast
    ]
    assert steps.candidates.passed_over == {steps.ranked[row].hash: sizes[row] for row in slow}
    # A slow network is measured twice, as another process may have slowed it down.
    assert sorted(measured) == sorted(sizes[row] for row in [*slow, *slow, *fast])

    about = finish(copied, tmp_path / "net")
    assert len(measured) == 2 * len(slow) + 2  # a resumed command measures nothing again
    assert about["passed_over"] == steps.candidates.passed_over
    assert about["latency"]["median"] == about["parameters"]
    assert [cell["hash"] for cell in about["confirmation"]["cells"]] == [
        steps.ranked[row].hash for row in fast
    ]
    card = (tmp_path / "net" / "README.md").read_text()
    assert f"above the limit: `{steps.ranked[slow[0]].hash}` (" in card
    assert not (copied / FINISH_LATENCY).exists()


def test_without_a_cell_within_the_limit_nothing_is_trained(
    copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured_by_size(monkeypatch)
    limited(copied, 0.5)
    before = runs(copied)
    message = (
        r"of 5 trained cells none is within the limit of 500.00 ms on .*; measured: \d+.00 ms, "
    )
    with pytest.raises(MeasureError, match=message):
        Finish(copied, tmp_path / "net").confirm()
    assert runs(copied) == before


def test_moved_images_are_found_and_other_images_are_refused(
    searched: Path, copied: Path, tmp_path: Path
) -> None:
    moved = tmp_path / "elsewhere" / "renamed.npz"
    moved.parent.mkdir()
    shutil.copy(searched / "tiny.npz", moved)
    source = json.loads((copied / TASK).read_text())
    assert source["task"] == str(searched / "tiny.npz")
    (copied / TASK).write_text(json.dumps({**source, "task": str(tmp_path / "gone.npz")}))
    with pytest.raises(MeasureError, match=r"gone.npz any more; give their new place .*--images"):
        Finish(copied, tmp_path / "net")
    task = Finish(copied, tmp_path / "net", moved).task
    assert (task.name, len(task.train)) == ("tiny", 62)
    arrays = dict(np.load(moved))
    arrays["images"][0] += 1
    np.savez(moved, **arrays)
    with pytest.raises(SettingsError, match="have changed since the search"):
        Finish(copied, tmp_path / "net", moved)
    (copied / TASK).unlink()
    with pytest.raises(SettingsError, match=r"task.json, which names the images"):
        Finish(copied, tmp_path / "net", moved)


def change_evaluator(**changes: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "settings.json"
        settings = json.loads(path.read_text())
        settings["evaluator"].update(changes)
        path.write_text(json.dumps(settings))

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (change_evaluator(evaluator="table"), "is a search on a table; only a search on a task"),
        (change_evaluator(evaluator="external"), "by the user's code; only a search on a task"),
        (change_evaluator(budget="2"), "no valid budget"),
        (change_evaluator(budget=10**15), "budget of its settings must be .* at most 100,000"),
        (lambda folder: (folder / "queries.jsonl").unlink(), "no cell has been trained yet"),
        (shutil.rmtree, "no such folder"),
        (lambda folder: (folder / "settings.json").unlink(), "has no settings.json"),
        (lambda folder: (folder / "settings.json").write_text('{"model": 1}'), "not the folder"),
    ],
)
def test_invalid_folders_are_refused(
    copied: Path, tmp_path: Path, change: Callable[[Path], Any], message: str
) -> None:
    change(copied)
    with pytest.raises(SettingsError, match=message):
        Finish(copied, tmp_path / "net")
    assert not (tmp_path / "net").exists()


def test_a_search_that_cannot_be_written_to_is_refused(
    copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != copied)
    with pytest.raises(SettingsError, match=f"the folder {copied} cannot be written to"):
        Finish(copied, tmp_path / "net")


def test_a_folder_with_something_else_is_not_replaced(copied: Path, tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    Finish(copied, tmp_path / "net")
    (tmp_path / "net" / "diary.txt").write_text("")
    with pytest.raises(SettingsError, match="is not empty"):
        Finish(copied, tmp_path / "net")
    with pytest.raises(SettingsError, match="is not empty"):
        Finish(copied, copied)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"top": 0}, "top must be"),
        ({"seeds": 1}, "seeds must be"),
        ({"seeds": 10**12}, "seeds must be at most"),
        ({"epochs": 0}, "epochs must"),
        ({"epochs": 10**12}, "epochs must be .* at most"),
    ],
)
def test_invalid_numbers(
    copied: Path, tmp_path: Path, options: dict[str, int], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        Finish(copied, tmp_path / "net", **options)  # type: ignore[arg-type]


def test_two_processes_do_not_finish_one_search(copied: Path, tmp_path: Path) -> None:
    steps = Finish(copied, tmp_path / "net")
    with (
        steps.locked(),
        pytest.raises(SettingsError, match="another process"),
        Finish(copied, tmp_path / "other").locked(),
    ):
        pass


def test_a_network_with_another_accuracy_is_not_written(
    copied: Path, tmp_path: Path, quick: None
) -> None:
    steps = Finish(copied, tmp_path / "net", top=2, seeds=2, epochs=12)
    confirmation = steps.confirm()
    network = steps.train(confirmation)
    network.normalization.mean += 5.0
    with pytest.raises(MeasureError, match="the trainer read"):
        steps.write(confirmation, network)
    network.normalization.mean *= float("nan")
    with pytest.raises(MeasureError, match="not finite"):
        steps.write(confirmation, network)
    assert not (tmp_path / "net").exists()


def interrupted(folder: Path, out: Path, last: int, counted: Any) -> None:
    """Finish a search, and kill this process at a moment in its course."""
    import pyg_nas.io.files as files
    import pyg_nas.measure.trained_network.export as network_export

    def moment(*_: object) -> None:
        counted.value += 1
        if counted.value == last:
            os.kill(os.getpid(), signal.SIGKILL)

    def after_moments(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            moment()
            result = function(*arguments, **options)
            moment()
            return result

        return call

    network_export.export_network = after_moments(short_export)  # type: ignore[assignment]
    Path.write_bytes = after_moments(Path.write_bytes)  # type: ignore[method-assign]
    Path.replace = after_moments(Path.replace)  # type: ignore[method-assign]
    files.shutil.rmtree = after_moments(shutil.rmtree)  # type: ignore[attr-defined]
    Journal.record = after_moments(Journal.record)  # type: ignore[method-assign]
    steps = Finish(folder, out, top=2, seeds=2)
    if steps.is_done:
        steps.clean()
        return
    with steps.locked():
        confirmation = steps.confirm()
        steps.write(confirmation, steps.train(confirmation, on_step=moment))
        steps.clean()


@pytest.mark.skipif(
    "forkserver" not in multiprocessing.get_all_start_methods(), reason="processes are not forked"
)
def test_killed_at_any_moment_it_resumes_with_the_same_result(
    searched: Path, copied: Path, tmp_path: Path
) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["pyg_nas.search.finish", "pyg_nas.measure.training.trainer", __name__]
    )

    def start(folder: Path, out: Path, last: int) -> tuple[int | None, int]:
        counted = context.Value("i", 0)
        process = context.Process(target=interrupted, args=(folder, out, last, counted))
        process.start()
        process.join(120)
        return process.exitcode, counted.value

    whole = tmp_path / "whole"
    shutil.copytree(searched / "search", whole)
    code, moments = start(whole, tmp_path / "expected", -1)
    assert code == 0
    rng = np.random.default_rng(0)
    out, earlier, weights = tmp_path / "net", runs(copied), None
    for _ in range(4):
        code, _ = start(copied, out, int(rng.integers(1, moments + 1)))
        assert code in (0, -signal.SIGKILL)
        # What was finished is neither lost nor trained again.
        now = runs(copied)
        assert earlier.items() <= now.items()
        earlier = now
        kept = [path.read_bytes() for path in copied.glob("network-*/weights.safetensors")]
        assert weights is None or kept in ([weights], [])
        weights = kept[0] if kept else weights
        assert not out.exists() or content(out) == content(tmp_path / "expected")
    code, _ = start(copied, out, -1)
    assert code == 0
    assert content(out) == content(tmp_path / "expected")
    assert len(runs(copied)) == len(runs(whole)) == 9
    assert not list(copied.glob("network-*"))


def test_a_failed_confirmation_is_named(
    copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = Finish(copied, tmp_path / "net", top=1, seeds=2)
    monkeypatch.setattr("pyg_nas.measure.training.trainer.train", None)
    with pytest.raises(MeasureError, match=f"cell {steps.ranked[0].hash}"):
        steps.confirm()
