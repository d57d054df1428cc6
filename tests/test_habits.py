"""Tests mirror the package, caches have owners, no output is committed, messages have a form."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE, TESTS = ROOT / "pyg_nas", ROOT / "tests"

# Modules that the tests of another module cover.
NOT_TESTED_ALONE = {
    "cli/commands/demo.py",  # test_demo_job tests what it shows
    "features/graph_block.py",  # test_graph_features
    "graphs/official_format.py",  # an interface; data/test_official_file uses it
    "spaces/nasbench101/features.py",  # test_graph_features
    "spaces/nasbench201/support.py",  # edge_cells/test_support, for both spaces of its kind
    "spaces/transnasbench101/support.py",
}
# Tests of several modules together.
NOT_OF_ONE_MODULE = {
    "predictors/test_unlike_cells.py",
    "cli/test_hostile_arguments.py",
    "cli/test_ignored_options.py",
    "cli/test_hostile_paths.py",
    "fuzz/test_fuzz.py",
    "fuzz/test_hostile.py",
    "report/test_browser.py",
    "test_all_paths.py",
    "test_benchmarks.py",
    "test_docs.py",
    "test_environment.py",
    "test_habits.py",
    "test_language.py",
    "test_scripts.py",
}


def modules() -> set[str]:
    """All modules with behaviour: those that define a function or a method."""
    return {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if path.name != "__init__.py"
        and re.search(r"^ *def ", path.read_text(encoding="utf-8"), re.MULTILINE)
    }


def mirrored(module: str) -> str:
    path = Path(module)
    return str(path.with_name(f"test_{path.name}"))


def test_every_module_has_its_test_file() -> None:
    tests = {str(path.relative_to(TESTS)) for path in TESTS.rglob("test_*.py")}
    expected = {mirrored(name): name for name in modules() - NOT_TESTED_ALONE}
    missing = {expected[test] for test in expected.keys() - tests}
    assert not missing, "modules without a test file at the mirrored path"
    surplus = tests - expected.keys() - NOT_OF_ONE_MODULE
    assert not surplus, "test files at the path of no module"


def test_no_cache_is_a_global_of_a_module() -> None:
    """Spaces and estimators have them (docs/architecture.md)."""
    made = re.compile(r"^\w.*= *BoundedCache\b", re.MULTILINE)
    texts = {path: path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}
    assert not [str(path.relative_to(ROOT)) for path, text in texts.items() if made.search(text)]


def test_nothing_but_the_project_is_at_the_top_level() -> None:
    """Commands that are tried in a clone write their output there, and ``git add`` takes it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode != 0:
        pytest.skip("not a clone")
    top = {Path(name).parts[0] for name in listed.stdout.split("\0") if name}
    folders = {".ci", "benchmarks", "datasets", "docs", "experiments", "pyg_nas", "tests"}
    settings = {".dockerignore", ".gitignore", ".pre-commit-config.yaml"}
    documents = {"CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "LICENSE", "README.md"}
    builds = {"Dockerfile", "MANIFEST.in", "Makefile", "mkdocs.yml", "pyproject.toml"}
    versions = {"constraints-lowest.txt", "constraints.txt", "environment.yml"}
    assert top <= folders | settings | documents | builds | versions


def problems(message: str) -> list[str]:
    spec = importlib.util.spec_from_file_location("hook", ROOT / ".ci" / "commit_message.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: list[str] = module.problems(message)
    return found


@pytest.mark.parametrize(
    "message",
    [
        "Add a search space\n\nBecause it is asked for.\n# a comment of git's\n",
        "Process blocks in parallel",
        "Merge branch 'a' into b, whatever the length of the subject may be in such a case here",
        "x".upper() * 72,
    ],
)
def test_good_commit_messages(message: str) -> None:
    assert problems(message) == []


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ("", "empty"),
        ("A" * 73, "73 characters"),
        ("Add a space.", "period"),
        ("add a space", "capital"),
        ("Added a space", "imperative"),
        ("Adds a space", "imperative"),
        ("Adding a space", "imperative"),
        ("Add a space\nand more", "second line"),
    ],
)
def test_bad_commit_messages(message: str, problem: str) -> None:
    (found,) = [text for text in problems(message) if problem in text]
    assert found
