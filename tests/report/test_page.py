"""Names from files stay text, and a page runs only its own scripts."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

from tests.report.conftest import HOSTILE
from tests.report.reader import Reader


def test_hostile_names_stay_text(page: Reader, model_report: Path) -> None:
    assert page.texts.count(HOSTILE) >= 3  # a name and a value of the table, a settings value
    assert f"{HOSTILE} on table.hdf5" in page.texts
    tags = {tag for tag, _ in page.tags}
    assert "img" not in tags
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert len(page.scripts) == 3
    assert not re.search(r"\{\{\w+\}\}", re.sub(re.escape(HOSTILE), "", "".join(page.texts)))


def test_only_the_pages_own_scripts_may_run_and_nothing_is_fetched(page: Reader) -> None:
    (policy,) = [
        a["content"] for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy is not None
    allowed = set(re.findall(r"'sha256-([^']+)'", policy))
    hashes = {
        base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        for script in page.scripts[1:]
    }
    assert allowed == hashes
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    for tag, attributes in page.tags:
        for name in ("src", "href", "srcset", "action"):
            assert attributes.get(name) in (None, "data:,"), tag
