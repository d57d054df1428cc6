"""Words that docs/glossary.md forbids do not stand in documentation, docstrings and messages."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Pattern, and what to write instead. Words with another, ordinary meaning are not listed.
FORBIDDEN = {
    r"\ba person\b|\bperson's\b|\bpeople's\b|\bsomebody\b|\bnobody\b": "user, another, no one",
    r"\btrainings\b": "runs, training runs",
    r"\b(goes|go|gone|going) on (with|where|from|as)\b": "resumes",
    r"\banew\b|\bonce and for all\b": "again, once",
    r"\bof everything random\b": "random seed",
    r"\b(blown|blew|blows)[ -]up\b": "failed run",
    r"\b(hears?|heard)\b": "receives, reads",
    r"\bwhat the digits\b": "transfer",
    r"\b(fast|slow|other|same|two|by which) roads?\b": "path",
    r"\bstands? for no\b|\bof none\b": "have no, may be empty",
    r"\bwhatever\b|\bwhoever\b|\bstrangers?\b": "any, the user who, user",
    r"\bto be had\b|\bstands? there\b": "available, appears",
    r"\bthe package knows\b": "support, is particular to",
    r"\bwhole or not at all\b": "completely or not at all",
    r"\basked for is\b": "was requested",
    r"\bdrop-in\b": "replacement",
    r"\bhonest\b": "calibrated",
    r"\bnow and then\b": "sometimes",
    r"\bkeeps? (the|all) (constraints|limits)\b": "is within the constraints",
}
# Of the names of tests, which have underscores for spaces.
FORBIDDEN_NAMES = {
    r"\bwrong\b|\bsound\b": "invalid, valid",
    r"\bgoes on\b|\bgo on\b": "resumes, continues",
    r"\b(says?|said|knows|holds?|tells apart)\b": "states, names, has, contains, distinguishes",
}
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "datasets" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
# The glossary names the words; the changelog is history.
PAGES = [path for path in PAGES if path.name not in ("glossary.md", "CHANGELOG.md")]
MODULES = [
    path
    for folder in ("pyg_nas", "experiments", "benchmarks", "datasets")
    for path in sorted((ROOT / folder).rglob("*.py"))
]


def found_in(text: str, forbidden: Mapping[str, str] = FORBIDDEN) -> Iterator[str]:
    for pattern, instead in forbidden.items():
        for match in re.finditer(pattern, text, re.IGNORECASE):
            around = text[max(0, match.start() - 40) : match.end() + 20].split()
            yield f"{' '.join(around)}: {instead}"


def texts(path: Path) -> Iterator[str]:
    """The sentences of a module: docstrings, help texts and messages, which have spaces."""
    source = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.value
    for line in source.splitlines():
        if "#" in line:
            yield line.partition("#")[2]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_documentation(path: Path) -> None:
    assert not list(found_in(path.read_text(encoding="utf-8")))


def described(path: Path) -> Iterator[str]:
    """The docstrings and the lines of comments of a test module, whose other texts are inputs."""
    source = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            yield ast.get_docstring(node) or ""
    yield from (line for line in source.splitlines() if line.lstrip().startswith("#"))


def test_tests() -> None:
    paths = set((ROOT / "tests").rglob("*.py")) - {Path(__file__)}  # which has the words
    assert not [text for path in paths for part in described(path) for text in found_in(part)]


def test_names_of_tests() -> None:
    names = {
        node.name.replace("_", " ")
        for path in (ROOT / "tests").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }
    assert not [text for name in names for text in found_in(name, FORBIDDEN | FORBIDDEN_NAMES)]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules(path: Path) -> None:
    assert not [text for sentence in texts(path) for text in found_in(sentence)]


def test_forbidden_words_are_found() -> None:
    assert (
        len(list(found_in("The search goes on with what a person was told; three trainings."))) == 3
    )
