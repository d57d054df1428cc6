"""Options of tasks are checked before images are read."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyg_nas.cli.tasks import check_settings_file
from pyg_nas.errors import SettingsError


def test_a_file_of_training_settings(tmp_path: Path) -> None:
    check_settings_file(None)
    file = tmp_path / "s.json"
    for content, message in (
        ('{"stem_channels": 8}', None),
        ('{"batch": 8}', "unknown name 'batch'"),
        ('{"stem_channels": 0}', "stem_channels must be a whole number >= 1"),
        ("[", "not a readable JSON file"),
    ):
        file.write_text(content)
        if message is None:
            check_settings_file(file)
        else:
            with pytest.raises(SettingsError, match=message):
                check_settings_file(file)
