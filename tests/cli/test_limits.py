"""The limit on the training time has a new name and an old one."""

from __future__ import annotations

import pytest

from pyg_nas.cli.limits import longest_training
from pyg_nas.errors import SettingsError


@pytest.mark.parametrize(
    ("new", "old", "limit"), [(None, None, None), (5.0, None, 5.0), (None, 7.0, 7.0)]
)
def test_either_name_is_read(new: float | None, old: float | None, limit: float | None) -> None:
    assert longest_training(new, old) == limit


def test_both_names_together_are_refused() -> None:
    with pytest.raises(SettingsError, match="give one of them, not both"):
        longest_training(5.0, 5.0)
