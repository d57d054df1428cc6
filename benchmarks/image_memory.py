"""Peak memory of a process that trains one cell on large images for an epoch.

    python -m benchmarks.image_memory

The images are random photos in a folder, with the settings that a folder of the user gets. Of 99
random cells of NAS-Bench-101 the one with the median number of parameters is trained, and the one
with the most. A process that only imports torch is measured beside them. Time is not measured, so
that other programs may run.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.measurement import parsed, peak_memory, show, write_result
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.measure.tasks.by_name import get_task

ALONE = "no training"
CELLS = {"median cell": 49, "largest cell": 98}
_CLASSES, _PER_CLASS = 4, 60


def make_photos(folder: Path, size: int) -> None:
    from PIL import Image

    rng = np.random.default_rng(0)
    for name in range(_CLASSES):
        (folder / str(name)).mkdir()
        for number in range(_PER_CLASS):
            coarse = rng.integers(0, 256, (7, 7, 3), dtype=np.uint8)
            photo = Image.fromarray(coarse).resize((size, size))
            photo.save(folder / str(name) / f"{number}.jpg")


def choose_cells(folder: str) -> dict[str, Cell]:
    """Return the cells of :data:`CELLS` by the parameters of the networks on these images."""
    size = get_task(folder).network_size
    cells = sample_cells(99, seed=0)
    order = np.argsort(cells.space.support.network.trainable_parameters(cells, size))
    return {name: cells[int(order[place])] for name, place in CELLS.items()}


def train_cell(cell: Cell | None, folder: str) -> None:
    """Train in a process of its own; without a cell only import torch."""
    import torch

    if cell is None:
        return
    from pyg_nas.measure.training.trainer import train

    torch.set_num_threads(1)
    train(cell, get_task(folder), 1, (0,))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[224, 512])
    arguments = parsed(parser, sizes=[224])
    peaks: dict[int, dict[str, int]] = {}
    for size in arguments.sizes:
        with tempfile.TemporaryDirectory() as folder:
            make_photos(Path(folder), size)
            peaks[size] = {
                name: peak_memory(train_cell, cell, folder)
                for name, cell in {ALONE: None, **choose_cells(folder)}.items()
            }
    result = {"images": _CLASSES * _PER_CLASS, "peak_bytes": peaks}
    write_result("image_memory", result, arguments.results)
    show(
        "Peak memory, GiB",
        ["", *(f"{size} pixels" for size in peaks)],
        [
            [name, *(f"{found[name] / 2**30:.3f}" for found in peaks.values())]
            for name in (ALONE, *CELLS)
        ],
    )


if __name__ == "__main__":
    main()
