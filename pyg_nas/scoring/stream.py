"""Scores of a source of any length, in memory that does not depend on it.

The source is divided into blocks, workers score them, and each block's scores are kept in a folder
beside the output until all are there: an interrupted run resumes, and no block is scored twice.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.compute.ahead import read_ahead
from pyg_nas.compute.workers import WorkerDiedError, Workers
from pyg_nas.data.tables.scores_file import rank_keys
from pyg_nas.errors import BackendError, SettingsError
from pyg_nas.scoring.blocks import Block
from pyg_nas.scoring.output import COLUMNS, write_file
from pyg_nas.scoring.parts import Parts, open_parts
from pyg_nas.scoring.scores import Opened, ScoringTask, best, prepared, score_block
from pyg_nas.scoring.seen import SeenCells

Progress = Callable[[int], None]


def score_stream(
    task: ScoringTask,
    blocks: Iterable[Block],
    out: str | os.PathLike[str],
    *,
    settings: Mapping[str, Any] | None = None,
    workers: Workers | None = None,
    progress: Progress | None = None,
) -> int:
    """Score a source and write its scores, in the source's order or the best of them.

    Args:
        task: The predictor and how many of the best rows are wanted.
        blocks: The source; it must be the same when a run is resumed.
        out: File to write, by its ending CSV or Arrow (``.arrow``). Beside it ``OUT.parts`` keeps
            the scores of finished blocks until the file is complete.
        settings: Names the model and the source, so that parts of others are not used.
        workers: Where the blocks are scored; None for this process.
        progress: Called with the number of architectures scored so far.

    Returns:
        The number of architectures of the source.

    Raises:
        SettingsError: If the parts are of another model or source, or the source is empty.
        BackendError: If a block killed its worker twice; the other blocks are kept.
    """
    out = Path(out)
    folder = out.with_name(f"{out.name}.parts")
    # Parts of versions that wrote other columns are not used.
    depends = {"top": task.top, "network": str(task.network), "columns": list(COLUMNS)}
    described = {**(settings or {}), **depends}
    with open_parts(folder, described) as parts:
        count, total = _score_missing(task, blocks, parts, workers or Workers(), progress)
        if total:
            scored = parts.read(count)
            if task.top is not None:
                scored = iter([best(scored, task.top, task.larger_is_better)])
            write_file(out, scored)
        parts.remove()
    if not total:
        raise SettingsError(
            f"{described.get('source', 'the source')}: has no architecture to score"
        )
    return total


def _score_missing(
    task: ScoringTask,
    blocks: Iterable[Block],
    parts: Parts,
    workers: Workers,
    progress: Progress | None,
) -> tuple[int, int]:
    """Score the blocks that are not among the parts; return the numbers of blocks and rows."""
    count = total = 0
    leading: NDArray[np.float64] = np.empty(0)  # keys of the best scores so far
    here = workers.backend == "sequential"
    # One thread makes a block, another prepares the one before, and this one scores.
    opened = _opened(task, read_ahead(iter(blocks)) if here else blocks, parts, here)
    if here:
        opened = read_ahead(opened)

    def calls() -> Iterator[tuple[int, Block, float | None, Opened | None]]:
        nonlocal count, total
        for number, (block, is_scored, architectures) in enumerate(opened):
            count, total = number + 1, block.row + len(block)
            if not is_scored:
                bound = float(leading.max()) if len(leading) == task.top else None
                yield number, block, bound, architectures

    lost = []
    with closing(opened), closing(workers.run(score_block, task, calls())) as results:
        for (number, block, *_), columns in results:
            if isinstance(columns, WorkerDiedError):
                lost.append((block.row, columns))
                continue
            parts.write(number, _short(block), columns)
            if task.top is not None:
                keys = rank_keys(columns["score"], task.larger_is_better)
                leading = np.sort(np.concatenate([leading, keys]))[: task.top]
            if progress is not None:
                progress(total)
    if lost:
        row, error = lost[0]
        raise BackendError(
            f"{len(lost)} blocks were not scored because their worker died, the first from row "
            f"{row:,} on ({error}); the scores of the other blocks are kept in {parts.folder}"
        )
    return count, total


def _opened(
    task: ScoringTask, blocks: Iterable[Block], parts: Parts, here: bool
) -> Generator[tuple[Block, bool, Opened | None], None, None]:
    """Yield blocks, whether they are scored, and the others' architectures if scored here."""
    seen = SeenCells()
    for number, block in enumerate(blocks):
        is_scored = parts.has(number, _short(block))
        yield block, is_scored, prepared(task, block, seen) if here and not is_scored else None


def _short(block: Block) -> str:
    return sha256(block.digest.encode()).hexdigest()[:16]
