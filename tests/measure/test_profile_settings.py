"""Settings of a profile are checked, and without torch."""

from __future__ import annotations

import pytest

from pyg_nas.errors import SettingsError
from pyg_nas.measure.profile_settings import ProfileSettings


def test_settings_are_checked() -> None:
    with pytest.raises(SettingsError, match=r"repeats 0 must be a whole number >= 1"):
        ProfileSettings(repeats=0)
    with pytest.raises(SettingsError, match=r"most_noise 0\.0 must be a number above 0"):
        ProfileSettings(most_noise=0.0)
