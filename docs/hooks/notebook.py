"""Fills a page from a notebook and the outputs that it was saved with."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[1]
MARKER = re.compile(r"<!-- notebook: ([\w./-]+) -->")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace each marker by the cells of the notebook of that path in the documentation."""
    return MARKER.sub(lambda match: describe(DOCS / match[1]), markdown)


def describe(path: Path) -> str:
    """Return the texts, code and outputs of a notebook in Markdown."""
    parts: list[str] = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        parts.append(f"```python\n{source}\n```" if cell["cell_type"] == "code" else source)
        parts += [_shown(output) for output in cell.get("outputs", [])]
    return "\n\n".join(parts)


def _shown(output: dict[str, Any]) -> str:
    """An output in its richest form; HTML keeps no empty line, where Markdown would begin again."""
    data = output.get("data", {"text/plain": output.get("text", [])})
    for kind in ("text/html", "image/svg+xml"):
        if kind in data:
            lines = filter(str.strip, "".join(data[kind]).splitlines())
            return '<div class="output">' + "\n".join(lines) + "</div>"
    return "```text\n" + "".join(data["text/plain"]).rstrip() + "\n```"
