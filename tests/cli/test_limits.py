"""The two names of the limit on the training time."""

from __future__ import annotations

import pytest

from pyg_nas.cli.limits import longest_training
from pyg_nas.errors import SettingsError


@pytest.mark.parametrize(
    ("new", "old", "expected"), [(None, None, None), (5.0, None, 5.0), (None, 7.0, 7.0)]
)
def test_either_name_gives_the_limit(
    new: float | None, old: float | None, expected: float | None
) -> None:
    assert longest_training(new, old) == expected


def test_both_names_at_once_are_refused() -> None:
    with pytest.raises(SettingsError, match="--max-time is the old name of --max-training-time"):
        longest_training(5.0, 5.0)
