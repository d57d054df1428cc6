"""Scores of one block of architectures, as columns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyg_nas.data.tables.scores_file import rank_keys
from pyg_nas.graphs.cell_network import NetworkSize
from pyg_nas.predictors.predictions import checked_mean_and_std, checked_predictions
from pyg_nas.scoring.blocks import Architectures, Block
from pyg_nas.scoring.columns import architecture_columns
from pyg_nas.scoring.seen import Places, SeenCells

Columns = dict[str, NDArray[Any]]
"""``hash`` S32, ``score`` float64 and ``row`` int64 ``[n]``; ``mean`` (the score again) and ``std``
float64 where the predictor has them; and :func:`~pyg_nas.scoring.columns.architecture_columns`."""


@dataclass(frozen=True)
class ScoringTask:
    """The work for every block.

    Args:
        estimator: A fitted predictor.
        larger_is_better: False for costs such as seconds.
        top: Number of best rows to keep; None for all.
        threads: Torch threads; None for those that the process has.
        network: Size of the networks that are trained, for the parameters; None if not known.
    """

    estimator: Any
    larger_is_better: bool = True
    top: int | None = None
    threads: int | None = None
    network: NetworkSize | None = None


class Opened(NamedTuple):
    """A block that was read, and which of its architectures are to be predicted."""

    architectures: Architectures
    fresh: Architectures  # to be predicted: all, or those that were not seen before
    seen: SeenCells | None = None
    places: Places | None = None  # of all architectures; None if all are to be predicted

    def columns(self, estimator: Any) -> Columns:
        """Return :func:`predicted_columns` of all architectures."""
        columns = predicted_columns(estimator, self.fresh) if len(self.fresh.graphs) else {}
        if self.seen is None or self.places is None:
            return columns
        return self.seen.complete(self.places, columns)


def prepared(task: ScoringTask, block: Block, seen: SeenCells | None = None) -> Opened:
    """Read a block and let the predictor compute in advance what it can.

    Args:
        task: The work for every block.
        block: The architectures.
        seen: Those of earlier blocks, which are completed in the same order; None without.

    Raises:
        TableError: If a line of a graph file is not a graph.
    """
    architectures = fresh = block.read()
    places = seen.look_up(architectures.graphs) if seen is not None else None
    if places is not None:
        fresh = Architectures(architectures.graphs_of(places.fresh))
    prepare = getattr(task.estimator, "prepare", None)
    if prepare is not None and len(fresh.graphs):
        prepare(fresh.graphs)
    return Opened(architectures, fresh, seen, places)


def score_block(
    task: ScoringTask,
    number: int,
    block: Block,
    bound: float | None = None,
    opened: Opened | None = None,
) -> Columns:
    """Return the columns of a block, the best first if only these are kept.

    Args:
        task: The work for every block.
        number: The block's number.
        block: The architectures.
        bound: Key of a score (:func:`~pyg_nas.data.tables.scores_file.rank_keys`): rows behind it
            are not among the best of all. Without it each block hashes as many rows as are wanted
            in all, which takes longer than scoring.
        opened: The architectures, if they were read already.

    Raises:
        ModelError: If a score is not finite, or a cell is not of the model's operations.
        TableError: If a line of a graph file is not a graph.
    """
    import torch

    from pyg_nas.compute.threads import torch_threads

    with torch_threads(task.threads or torch.get_num_threads()):
        if opened is None:
            architectures = block.read()
            opened = Opened(architectures, architectures)
        columns = opened.columns(task.estimator)
    architectures = opened.architectures
    columns["row"] = np.arange(len(columns["score"]))
    if bound is not None:
        kept = rank_keys(columns["score"], task.larger_is_better) <= bound
        columns = {name: values[kept] for name, values in columns.items()}
    if task.top is not None:
        columns = best([columns], task.top, task.larger_is_better)
    rows = columns["row"]
    columns["hash"] = architectures.hashes_of(rows)
    # A network of the user's own takes long to build: only those of the best are counted.
    columns |= architecture_columns(architectures, rows, task.network, task.top is not None)
    columns["row"] = block.row + rows
    return columns


def predicted_columns(estimator: Any, architectures: Architectures) -> Columns:
    """Return the columns ``score`` ``[n]``, and ``mean`` and ``std`` if the predictor has them.

    Raises:
        ModelError: If a prediction is missing or not finite, or a cell is not of the model's
            operations.
    """
    graphs = architectures.graphs

    def named(row: int) -> str:
        return f"architecture {architectures.hashes_of(np.array([row]))[0].decode()}"

    if not getattr(estimator, "provides_std", False):
        return {"score": checked_predictions(estimator.predict(graphs), len(graphs), named)}
    both = estimator.predict(graphs, return_std=True)
    mean, std = checked_mean_and_std(both, len(graphs), named)
    return {"score": mean, "mean": mean, "std": std}


def best(parts: Iterable[Columns], count: int, larger_is_better: bool) -> Columns:
    """Return the ``count`` best rows of all parts, the best first; of equal scores the first rows.

    The parts are read one after another, and only the best so far are kept.
    """
    kept: Columns = {}
    for part in parts:
        joined = {name: np.concatenate([kept[name], part[name]]) if kept else part[name]
                  for name in part}  # fmt: skip
        order = np.lexsort((joined["row"], rank_keys(joined["score"], larger_is_better)))
        kept = {name: values[order[:count]] for name, values in joined.items()}
    return kept
