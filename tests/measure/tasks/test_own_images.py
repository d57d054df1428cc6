"""Settings that follow from the images, and that a journal keeps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pyg_nas.measure import Journal, get_task
from pyg_nas.measure.settings import TrainingSettings
from pyg_nas.measure.tasks.image_folder import scan_folder
from pyg_nas.measure.tasks.own_images import chosen_settings
from tests.measure.images import make_folder, settings_file


@pytest.mark.parametrize(
    ("side", "stride", "batch"), [(32, 1, 32), (64, 1, 32), (65, 2, 32), (128, 2, 32), (224, 4, 8)]
)
def test_large_images_get_a_stem_with_a_stride_and_small_batches(
    tmp_path: Path, side: int, stride: int, batch: int
) -> None:
    scan = scan_folder(make_folder(tmp_path / "bugs", per_class=30))
    chosen = chosen_settings(scan, side)
    assert chosen.stem_stride == stride
    assert chosen.batch_size == batch


def test_unequal_classes_count_equally(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "bugs")
    assert not chosen_settings(scan_folder(folder), None).balanced
    for name in "567":
        (folder / "bee" / f"{name}.png").unlink()
    assert chosen_settings(scan_folder(folder), None).balanced
    explicit = settings_file(tmp_path, balanced=False)
    assert not get_task(folder, explicit).settings.balanced


def test_numbers_are_learned_by_the_loss_of_huber_but_in_an_older_journal(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "bugs")
    assert not chosen_settings(scan_folder(folder), None).huber_loss
    (folder / "targets.csv").write_text(
        "file,value\n" + "".join(f"ant/{i}.png,{i}\nbee/{i}.png,{-i}\n" for i in range(8))
    )
    small = settings_file(tmp_path)
    earlier = get_task(folder, {"huber_loss": False})
    assert "huber_loss" not in earlier.settings.to_dict()
    Journal(tmp_path / "runs.sqlite", earlier).close()
    assert get_task(folder, small).settings.huber_loss
    assert not get_task(folder, small, journal=tmp_path / "runs.sqlite").settings.huber_loss


def test_a_journal_of_earlier_versions_is_resumed(tmp_path: Path) -> None:
    """Such a journal's images were stretched, and its settings lack all that came later."""
    folder = make_folder(tmp_path / "bugs", sizes=((5, 7),))
    small = settings_file(tmp_path)
    legacy = {"image_fit": "stretch", "whole_epochs": False, "batch_size": 4}
    earlier = get_task(folder, legacy, image_size=8)
    assert set(earlier.settings.to_dict()) & {"image_fit", "held_out", "stem_stride"} == set()
    Journal(tmp_path / "runs.sqlite", earlier).close()
    now = get_task(folder, small, 8, journal=tmp_path / "runs.sqlite")
    assert now.fingerprint == earlier.fingerprint
    assert get_task(folder, small, 8).fingerprint != earlier.fingerprint


def test_the_aspect_is_kept(tmp_path: Path) -> None:
    image_module = pytest.importorskip("PIL.Image")
    for name, shade in (("ant", 200), ("bee", 100)):
        (tmp_path / "bugs" / name).mkdir(parents=True)
        for i in range(6):
            wide = image_module.fromarray(np.full((8, 16), shade, np.uint8))
            wide.save(tmp_path / "bugs" / name / f"{i}.png")
    rows = {"pad": 4, "crop": 8, "stretch": 8}
    for fit, expected in rows.items():
        task = get_task(tmp_path / "bugs", settings_file(tmp_path, image_fit=fit), image_size=8)
        filled = (task.train.images[0, 0] > 0).all(axis=1).sum()
        assert filled == expected, fit


def test_descriptions_without_the_later_settings_are_complete() -> None:
    usual = TrainingSettings()
    full = TrainingSettings.all_values(usual.to_dict())
    assert TrainingSettings(balanced=True).changed(full) == usual
