"""What a report can be made of."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyg_nas.errors import ModelError, SettingsError
from pyg_nas.report import write_report
from pyg_nas.search.ask_tell import Search


def test_sources_that_are_none(model_source: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such folder"):
        write_report(tmp_path / "nowhere", None, tmp_path / "r.html")
    with pytest.raises(ModelError, match="is neither the folder of a model nor that of a search"):
        write_report(tmp_path, None, tmp_path / "r.html")
    for seed in (3, 4):
        (tmp_path / "seeds" / f"seed-{seed}").mkdir(parents=True)
        (tmp_path / "seeds" / f"seed-{seed}" / "queries.jsonl").touch()
    with pytest.raises(SettingsError, match=r"2 searches with different seeds.* as .*seed-3; regr"):
        write_report(tmp_path / "seeds", None, tmp_path / "r.html")
    search = Search(tmp_path / "own", method="random")
    search.tell(search.ask()[0].id, failed=True, reason="out of memory")
    with pytest.raises(SettingsError, match=r"no cell .* yet, 1 cell failed: out of memory"):
        write_report(tmp_path / "own", None, tmp_path / "r.html")
    with pytest.raises(SettingsError, match="needs a table as well"):
        write_report(model_source[0], None, tmp_path / "r.html")
