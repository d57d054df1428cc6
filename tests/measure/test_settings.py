"""Training settings from JSON files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pyg_nas.errors import SettingsError
from pyg_nas.measure import get_task
from pyg_nas.measure.settings import ProfileSettings, TrainingSettings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not a readable JSON file"),
        ("[]", "must be a JSON object"),
        ('{"width": 8}', "unknown name 'width'"),
        ('{"stem_channels": "8"}', "stem_channels must be of the type"),
        ('{"stem_channels": true}', "stem_channels must be of the type"),
        ('{"stem_channels": 0}', "stem_channels must be a whole number >= 1"),
        ('{"stem_channels": 4097, "num_stacks": 2}', "must be at most 8,192, got 4097"),
        ('{"num_stacks": 1000000000}', "at most 1,000 cells together"),
        ('{"modules_per_stack": 334, "num_stacks": 3}', "at most 1,000 cells together"),
        ('{"batch_size": 1000001}', "batch_size must be at most 1,000,000"),
        ('{"optimizer": "adam"}', "optimizer must be one of sgd, rmsprop"),
        ('{"learning_rate": NaN}', "numbers must be finite, got NaN"),
        ('{"momentum": 1}', "momentum must be from 0 to below 1"),
        ('{"weight_decay": -1}', "weight_decay must be at least 0"),
        ('{"augmentation": {"noise": -1}}', "noise must be at least 0"),
        ('{"augmentation": {"blur": 1}}', "unknown name 'blur'"),
    ],
)
def test_malformed_settings(tmp_path: Path, text, message):
    path = tmp_path / "settings.json"
    path.write_text(text)
    with pytest.raises(SettingsError, match=message) as caught:
        get_task("digits", path)
    assert "settings.json" in str(caught.value)


def test_settings_of_a_profile_are_checked() -> None:
    with pytest.raises(SettingsError, match=r"repeats 0 must be a whole number >= 1"):
        ProfileSettings(repeats=0)
    with pytest.raises(SettingsError, match=r"most_noise 0\.0 must be a number above 0"):
        ProfileSettings(most_noise=0.0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"learning_rate": "fast"}, "learning_rate must be above 0, got 'fast'"),
        ({"stem_stride": 3}, "stem_stride must be a power of two, got 3"),
        ({"held_out": 0.5}, "held_out must be above 0 and below 0.5, got 0.5"),
        ({"image_fit": "shrink"}, "image_fit must be one of stretch, pad, crop, got 'shrink'"),
        ({"balanced": 1}, "balanced must be true or false, got 1"),
        ({"warmup": float("nan")}, "warmup must be from 0 to below 1, got nan"),
    ],
)
def test_settings_made_in_python_are_checked(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=f"^{message}$"):
        TrainingSettings(**values)
