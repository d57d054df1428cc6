"""``pyg-nas images``: what a folder of images has, and what training on it will cost."""

from __future__ import annotations

from pathlib import Path
from statistics import median_low
from typing import TYPE_CHECKING, Annotated

import typer

from pyg_nas.cli.console import bold, print_line, print_next, print_note
from pyg_nas.cli.options import (
    Device,
    ImageSize,
    ImageSplitSeed,
    Metric,
    TrainingSettingsFile,
    check_settings_file,
)
from pyg_nas.cli.progress import progress_bar, working
from pyg_nas.cli.spaces import OWN, chosen_space
from pyg_nas.compute.device import check_device, pick_device
from pyg_nas.errors import MeasureError
from pyg_nas.io.limits import MOST_CELLS, MOST_EPOCHS
from pyg_nas.io.text import counted

if TYPE_CHECKING:
    from pyg_nas.measure.tasks.folder_report import FolderFacts
    from pyg_nas.measure.tasks.task import Task
    from pyg_nas.measure.training.cost import TrainingCost

_MOST_LISTED = 10
_FEW_IMAGES = 5


def images(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER",
            help="Folder with a folder of images for each class, or with targets.csv.",
            show_default=False,
        ),
    ],
    image_size: ImageSize = None,
    settings: TrainingSettingsFile = None,
    metric: Metric = None,
    split_seed: ImageSplitSeed = 0,
    budget: Annotated[
        int, typer.Option(min=1, max=MOST_EPOCHS, help="Epochs of a run, for the estimate.")
    ] = 12,
    runs: Annotated[
        int, typer.Option(min=1, max=MOST_CELLS, help="Runs of a search, for the estimate.")
    ] = 60,
    space: Annotated[
        str | None, typer.Option(help=f"Search space, for the estimate: its name, {OWN}.")
    ] = None,
    device: Device = "auto",
) -> None:
    """Check a folder of images and estimate the cost of training on it; nothing is trained.

    Prints the classes and their imbalance, image sizes, unreadable files, parts (train, val, test)
    and equal files. Runs one training step of a middle-sized network, to estimate the time of a
    search, and one of a large network, to estimate its memory.

    Example: pyg-nas images photos --image-size 64
    """
    check_device(device)
    check_settings_file(settings)
    from pyg_nas.graphs.registry import missing_network
    from pyg_nas.measure.tasks.by_name import get_task
    from pyg_nas.measure.tasks.folder_report import inspect_folder
    from pyg_nas.measure.tasks.image_folder import scan_folder

    searched = chosen_space(space)
    if searched.support.network is None:
        raise MeasureError(missing_network(searched))
    scan = scan_folder(folder)
    with progress_bar("reading, images") as advance:
        facts = inspect_folder(scan, advance)
    _print_facts(facts)
    if facts.unreadable:
        raise MeasureError(
            f"{folder}: {counted(len(facts.unreadable), 'image')} cannot be read; remove or "
            f"replace the files named above"
        )
    if image_size is None and len(facts.sizes) > 1:
        shorter = [min(size) for size, count in facts.sizes for _ in range(count)]
        raise MeasureError(
            f"{folder}: its images have {len(facts.sizes):,} sizes, half of them at least "
            f"{median_low(shorter)} pixels on the shorter side; give --image-size to bring all "
            f"to one"
        )
    with working("timing one step"):
        from pyg_nas.measure.training.cost import estimated_cost  # torch

        task = get_task(folder, settings, image_size, split_seed, metric=metric)
        cost = estimated_cost(task, searched, str(pick_device(device)))
    _print_task(task)
    _print_small_classes(task, facts.scan.classes)
    _print_cost(cost, budget, runs)
    options = {
        "--image-size": image_size,
        "--settings": settings,
        "--metric": metric,
        "--split-seed": split_seed or None,
        "--space": space,
        "--out": f"{folder.resolve().name}-search",
    }
    print_next("a search", ("search", folder), options)


def _print_facts(facts: FolderFacts) -> None:
    import numpy as np

    from pyg_nas.measure.tasks.image_folder import PARTS

    scan = facts.scan
    print_line("images: ", bold(f"{len(scan.files):,}"))
    if scan.classes:
        counts = scan.counts
        print_line("classes: ", bold(f"{len(scan.classes):,}"))
        order = np.argsort(-counts, kind="stable")
        shown = order if len(order) <= _MOST_LISTED else [*order[:5], *order[-5:]]
        for label in shown:
            print_line(f"  {scan.classes[label]}: {counts[label]:,}")
        if len(order) > _MOST_LISTED:
            print_line(f"  and {len(order) - _MOST_LISTED:,} more with counts between")
        print_line(f"largest class: {counts.max() / max(1, counts.min()):.1f} times the smallest")
    else:
        low, high = scan.labels.min(), scan.labels.max()
        print_line(f"numbers to predict: {low:g} to {high:g}, mean {scan.labels.mean():g}")
    if scan.parts is not None:
        numbers = np.bincount(scan.parts, minlength=len(PARTS))
        print_line(
            "parts: "
            + ", ".join(f"{n:,} for {part}" for n, part in zip(numbers, PARTS, strict=True))
        )
    sizes = ", ".join(f"{w} x {h} ({n:,})" for (w, h), n in facts.sizes[:3])
    more = f" and {len(facts.sizes) - 3:,} more" if len(facts.sizes) > 3 else ""
    print_line(f"sizes: {sizes or 'none'}{more}")
    print_line(f"without colour: {facts.grey:,}")
    _print_names(
        "unreadable", [f"{f.relative_to(scan.path)} ({why})" for f, why in facts.unreadable]
    )
    _print_names("folders without an image", [str(f.relative_to(scan.path)) for f in scan.empty])
    _print_names(
        f"images without {'a class' if scan.classes else 'a number'}, not used",
        [str(f.relative_to(scan.path)) for f in scan.unused],
    )
    _print_names("ignored, no images", [str(f.relative_to(scan.path)) for f in scan.stray])
    _print_copies(facts)


def _print_copies(facts: FolderFacts) -> None:
    def names(groups: tuple[tuple[Path, ...], ...]) -> list[str]:
        return [" = ".join(str(f.relative_to(facts.scan.path)) for f in group) for group in groups]

    print_line(f"groups of equal files: {len(facts.copies):,}")
    _print_names("equal files in different parts", names(facts.across_parts))
    _print_names("equal files with different labels", names(facts.across_classes))
    if facts.copies and facts.scan.parts is None:
        print_note(
            "equal files may get into different parts when the images are divided, which makes "
            "accuracies too high: remove the copies"
        )


def _print_names(what: str, names: list[str]) -> None:
    """Print how many there are, and the first of them; nothing where there is none."""
    if not names:
        return
    print_line(f"{what}: ", bold(f"{len(names):,}"))
    for name in names[:_MOST_LISTED]:
        print_line(f"  {name}")
    if len(names) > _MOST_LISTED:
        print_line(f"  and {len(names) - _MOST_LISTED:,} more")


def _print_task(task: Task) -> None:
    from pyg_nas.measure.tasks.objective import Objective

    channels, height, width = task.train.images.shape[1:]
    settings = task.settings
    print_line(
        f"used as: {counted(len(task.train), 'image')} for training, {len(task.validation):,} for "
        f"validation, {len(task.test):,} for testing; {width} x {height} pixels, "
        f"{counted(channels, 'channel')}"
    )
    print_line(
        f"metric: {Objective(task).score_name}"
        + ("; classes have weights in the loss" if settings.balanced else "")
    )
    if settings.stem_stride > 1:
        print_line(f"stem stride: {settings.stem_stride}, which reduces the image for the cells")


def _print_small_classes(task: Task, classes: tuple[str, ...]) -> None:
    """Name the classes with so few images that their accuracy is a rough estimate."""
    import numpy as np

    if not classes:
        return
    parts = (task.validation, task.test)
    counts = [np.bincount(part.labels, minlength=len(classes)).tolist() for part in parts]
    _print_names(
        f"classes with fewer than {_FEW_IMAGES} images for validation or testing",
        [
            f"{name}: {validation:,} for validation, {test:,} for testing"
            for name, validation, test in zip(classes, *counts, strict=True)
            if min(validation, test) < _FEW_IMAGES
        ],
    )


def _print_cost(cost: TrainingCost, budget: int, runs: int) -> None:
    from pyg_nas.report.text import duration

    one = cost.run_seconds(budget)
    step = cost.step_seconds
    shown = f"{1e3 * step:.0f} ms" if step < 1 else duration(step)
    print_line(f"one training step: {shown}; an epoch has {counted(cost.steps, 'step')}")
    print_line(f"one run of {counted(budget, 'epoch')}: ", bold(f"about {duration(one)}"))
    print_line(f"a search of {counted(runs, 'run')}: ", bold(f"about {duration(runs * one)}"))
    for what, size in (("memory", cost.peak_bytes), ("GPU memory", cost.gpu_bytes)):
        if size is not None:
            print_line(f"{what}: ", bold(f"about {size / 2**30:.2f} GiB"), " for each worker")
