"""Reading a search from its folder, as reports and later commands do."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyg_nas.errors import SettingsError
from pyg_nas.search.ask_tell import Search
from pyg_nas.search.search_folder.stored import StoredSearch, stored_latency


def test_failures_are_read_with_the_outcomes(tmp_path: Path) -> None:
    search = Search(tmp_path, method="random", seed=1)
    first, second = search.ask(2)
    search.tell(first.id, failed=True, reason="out of memory")
    with pytest.raises(SettingsError, match=r"no cell .* yet, 1 cell failed: out of memory"):
        StoredSearch.read(tmp_path).check_trained()
    search.tell(second.id, 0.5)
    stored = StoredSearch.read(tmp_path)
    assert stored.result.to_dict() == search.result.to_dict()
    assert stored.result.history.failures == {first.cell.hash: "out of memory"}
    assert (stored.settings.kind, stored.finished) == ("external", False)


def test_limits_that_no_search_wrote_are_refused(tmp_path: Path) -> None:
    search = Search(tmp_path, method="random")
    search.tell(search.ask()[0].id, 0.5)
    path = tmp_path / "settings.json"
    path.write_text(path.read_text().replace('"max_parameters": null', '"max_parameters": "5"'))
    with pytest.raises(SettingsError, match="max_parameters must be positive and finite, got '5'"):
        StoredSearch.read(tmp_path)


@pytest.mark.parametrize(
    "damage",
    ['"cells": []', '"cells": {"a": "4 ms"}', '"median_error": "3 %"', '"predicted": [0.004]'],
)
def test_damaged_latencies_are_refused(tmp_path: Path, damage: str) -> None:
    assert stored_latency(tmp_path) is None
    (tmp_path / "latency.json").write_text(f'{{"limit": 0.005, {damage}}}')
    name = damage.split('"')[1]
    with pytest.raises(SettingsError, match=rf"latency\.json: {name}(\[.*)? is not valid, got "):
        stored_latency(tmp_path)
