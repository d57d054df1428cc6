"""Shows the marks of docstrings, which are those of Sphinx as in PyG, in pages of MkDocs."""

from __future__ import annotations

import re
from typing import Any

ROLE = re.compile(r":(\w+):<code>(~?)([^<]+)</code>")
LINK = re.compile(r'<code>"([^<"]+)"\s*&lt;(https?://[^&\s]+)&gt;</code>_+')
FORMULA = re.compile(r"<p>\.\. math::\s*(.+?)</p>", re.DOTALL)
TABLE = re.compile(
    r"<p>\.\. list-table::.*?</p>\s*<div[^>]*><pre>.*?<code>(.+?)</code></pre></div>", re.DOTALL
)
_SIGNS = {r"\\tfrac12": "½", r"\\hat A": "Â", r"\\mathrm\{(\w+)\}": r"\1", r"_\{(\w+)\}": r"_\1"}


def on_page_content(html: str, **_: Any) -> str:
    """Replace roles such as ``:class:`` by links to names on the page; links, formulas, tables."""

    def named(match: re.Match[str]) -> str:
        role, short, name = match.groups()
        shown = _plain(name) if role == "math" else name.rpartition(".")[2] if short else name
        known = f'id="{name}"' in html
        return f'<a href="#{name}"><code>{shown}</code></a>' if known else f"<code>{shown}</code>"

    html = FORMULA.sub(lambda match: f"<pre><code>{_plain(match[1])}</code></pre>", html)
    html = TABLE.sub(lambda match: _table(match[1]), html)
    return LINK.sub(r'<a href="\2">\1</a>', ROLE.sub(named, html))


def _table(text: str) -> str:
    """A table with a head; each row begins with ``* - `` and each other cell with ``- ``."""
    rows = [re.split(r"\n\s*- ", row.strip()) for row in text.split("* - ")[1:]]
    head, *body = (
        "".join(f"<{tag}>{cell}</{tag}>" for cell in row)
        for tag, row in zip(["th", *["td"] * len(rows)], rows, strict=False)
    )
    lines = "".join(f"<tr>{row}</tr>" for row in body)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"


def _plain(formula: str) -> str:
    """A formula of TeX in letters."""
    for mark, sign in _SIGNS.items():
        formula = re.sub(mark, sign, formula)
    return formula
