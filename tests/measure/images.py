"""Image files to make tasks of."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pyg_nas.measure.tasks.task import Part

SMALL = {"batch_size": 4}


def settings_file(folder: Path, **changes) -> Path:
    path = folder / "settings.json"
    path.write_text(json.dumps({**SMALL, **changes}))
    return path


def save_npz(path: Path, **arrays) -> Path:
    np.savez(path, **arrays)
    return path


def sound_images(count: int = 30, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "images": rng.integers(0, 256, (count, 6, 6, 3), dtype=np.uint8),
        "labels": np.arange(count) % 3 + 5,
    }


def rows(part: Part) -> set[bytes]:
    return {image.tobytes() for image in part.images}


def make_folder(root: Path, sizes=((5, 5),), mode: str = "RGB", per_class: int = 8) -> Path:
    image_module = pytest.importorskip("PIL.Image")
    rng = np.random.default_rng(0)
    for label in ("ant", "bee"):
        (root / label).mkdir(parents=True)
        for i in range(per_class):
            width, height = sizes[i % len(sizes)]
            pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
            image_module.fromarray(pixels).convert(mode).save(root / label / f"{i}.png")
    (root / ".hidden").mkdir()
    (root / "ant" / ".DS_Store").write_text("not an image")
    return root
