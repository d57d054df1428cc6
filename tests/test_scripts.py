"""Scripts of experiments, benchmarks and datasets can start: all names that they import exist."""

from __future__ import annotations

import ast
import runpy
from importlib import import_module
from pathlib import Path

import pytest

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
