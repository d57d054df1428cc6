"""Scripts of experiments, benchmarks and datasets can start: all names that they import exist."""

from __future__ import annotations

import ast
import json
import runpy
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from pyg_nas.data.tables.shipped import shipped_latencies
from pyg_nas.spaces.modules.trace import graph_of

ROOT = Path(__file__).parents[1]
FOLDERS = ("experiments", "datasets/scripts")
SCRIPTS = sorted(
    str(path.relative_to(ROOT))
    for folder in (*FOLDERS, "benchmarks")
    for path in (ROOT / folder).glob("*.py")
)


def imported_names(tree: ast.AST) -> list[tuple[str, str]]:
    """Return the modules and names of all imports, except what stands in for a missing one."""
    instead = {
        id(node)
        for handler in ast.walk(tree)
        if isinstance(handler, ast.ExceptHandler)
        for node in ast.walk(handler)
    }
    return [
        (node.module, alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and id(node) not in instead
        for alias in node.names
    ]


@pytest.mark.parametrize("script", SCRIPTS)
def test_names_from_the_package_exist(script: str) -> None:
    tree = ast.parse((ROOT / script).read_text(encoding="utf-8"))
    for module, name in imported_names(tree):
        if module.split(".")[0] == "pyg_nas" and not hasattr(import_module(module), name):
            import_module(f"{module}.{name}")  # a module, or an error that names it


@pytest.mark.parametrize("script", [name for name in SCRIPTS if name.startswith(FOLDERS)])
def test_a_script_can_be_imported(script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It begins its work only where it is the main module."""
    monkeypatch.syspath_prepend(str((ROOT / script).parent))  # as Python does for a script
    runpy.run_path(str(ROOT / script), run_name="imported")


def test_the_networks_of_the_shipped_latencies_are_found_by_their_hashes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "datasets/scripts"))
    families = import_module("network_families")
    table = shipped_latencies()
    settings = [json.loads(name) for name in table.names]
    drawn = np.random.default_rng(0).permutation(len(table)).tolist()
    of_family: dict[str, list[int]] = {name: [] for name in families.FAMILIES}
    for row in drawn:
        of_family[settings[row]["family"]].append(row)
    pools = [row for row in drawn if settings[row].get("pool")]  # with a window of one number
    for row in [*pools[:3], *(row for rows in of_family.values() for row in rows[:3])]:
        graph = graph_of(*families.build(**settings[row]))
        assert table.hashes[row].decode() == graph.hash, table.names[row]


def test_runs_of_other_data_are_not_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "experiments"))
    runs = import_module("finished_runs")
    one, two = (runs.digest_of(np.arange(3), np.full(2, value)) for value in (0.5, 0.25))
    path = tmp_path / "runs.jsonl"
    assert runs.finished_runs(path, one) == []
    for run in ({"data": one, "tau": 1}, {"data": two, "tau": 2}, {"tau": 3}):
        runs.append_line(path, run)
    assert runs.finished_runs(path, one) == [{"data": one, "tau": 1}]
    assert runs.finished_runs(path, two) == [{"data": two, "tau": 2}]
