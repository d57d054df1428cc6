"""Fills the Python reference from the public list of each sub-package, its ``__init__.pyi``."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parents[2] / "pyg_nas"
MARKER = re.compile(r"<!-- room: ([\w.]+) -->")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace each marker by the room's docstring and a directive for each public name."""
    return MARKER.sub(lambda match: describe(match[1]), markdown)


def describe(room: str) -> str:
    """Return the section of a room in Markdown."""
    folder = PACKAGE / room.replace(".", "/")
    docstring = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8")))
    names = public_names(folder)
    directives = [f"::: {canonical(folder, name)}" for name in names]
    listed = f"`from pyg_nas.{room} import {', '.join(names[:3])}{', ...' * (len(names) > 3)}`"
    return "\n\n".join([docstring or "", listed, *directives])


def public_names(folder: Path) -> list[str]:
    """Return the names that a package's stub imports."""
    return list(imports(folder))


def imports(folder: Path) -> dict[str, str]:
    """Return the module behind each public name of a package, relative to it."""
    stub = folder / "__init__.pyi"
    tree = ast.parse(stub.read_text(encoding="utf-8")) if stub.exists() else ast.parse("")
    return {
        alias.asname or alias.name: node.module or ""
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def canonical(folder: Path, name: str) -> str:
    """Return the full path of a public name, through sub-packages that pass it on."""
    module = imports(folder).get(name, "")
    inner = folder / module.replace(".", "/")
    if inner.is_dir() and name in imports(inner):
        return canonical(inner, name)
    parts = [*folder.relative_to(PACKAGE.parent).parts, *filter(None, [module]), name]
    return ".".join(parts)
