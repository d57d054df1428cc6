"""Dense against sparse by size of the graphs: where ``backend="auto"`` should change over.

Cells of NAS-Bench-101 at 7 vertices, random graphs from half the size on at others.
"""

from __future__ import annotations

import argparse
import os
from functools import partial

import numpy as np
import torch

from benchmarks.measurement import interleaved, parsed, show, write_result
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.predictors.gnn.gcn import (
    MOST_SCORED_DENSELY,
    MOST_TRAINED_DENSELY,
    GCNRegressor,
)
from pyg_nas.spaces.nasbench101 import NASBENCH101

WIDTH = 144


def graphs(count: int, vertices: int, seed: int = 0) -> CellArray:
    """Random graphs of at most ``vertices`` vertices, 1.4 edges per vertex as in NAS-Bench-101."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(max(2, vertices // 2), vertices + 1, count)
    real = np.arange(vertices) < sizes[:, None]
    ordered = np.triu(real[:, :, None] & real[:, None, :], 1)
    chance = 1.4 * sizes / ordered.sum(axis=(1, 2))
    edges = ordered & (rng.random(ordered.shape) < chance[:, None, None])
    space = SearchSpace(f"up to {vertices}", tuple("abc"), vertices, vertices**2)
    operations = np.where(real, rng.integers(0, 3, real.shape), 0)
    return CellArray(
        edges.astype(np.int8), operations.astype(np.int8), sizes.astype(np.int8), space
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vertices", type=int, nargs="+", default=[7, 12, 20, 32, 50, 80, 120])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    arguments = parsed(parser, vertices=[7, 32])
    torch.set_num_threads(arguments.threads)
    rows = []
    for vertices in arguments.vertices:
        count = 56_000 // vertices
        real = vertices == NASBENCH101.max_vertices
        cells = sample_cells(count, seed=0) if real else graphs(count, vertices)
        y = cells.num_vertices / vertices
        models = {
            backend: GCNRegressor(hidden=WIDTH, epochs=1, backend=backend, device="cpu")
            for backend in ("dense", "sparse")
        }
        training = interleaved(
            {name: partial(model.fit, cells[:40], y[:40]) for name, model in models.items()},
            arguments.repeats,
        )
        scoring = interleaved(
            {name: partial(model.predict, cells) for name, model in models.items()},
            arguments.repeats,
        )
        row: dict[str, float] = {"vertices": vertices}
        for what, seconds, most in (
            ("training", training, MOST_TRAINED_DENSELY),
            ("scoring", scoring, MOST_SCORED_DENSELY),
        ):
            automatic = "dense" if vertices <= most else "sparse"
            row[f"{what}_dense_faster_by"] = seconds["sparse"] / seconds["dense"]
            row[f"{what}_fastest_over_automatic"] = min(seconds.values()) / seconds[automatic]
        rows.append(row)
    show(
        f"Dense faster than sparse by, width {WIDTH}",
        ["vertices", "training", "scoring"],
        [
            [
                str(row["vertices"]),
                f"{row['training_dense_faster_by']:.2f}",
                f"{row['scoring_dense_faster_by']:.2f}",
            ]
            for row in rows
        ],
    )
    write_result(
        "backend_by_size",
        {"width": WIDTH, "repeats": arguments.repeats, "rows": rows},
        arguments.results,
    )


if __name__ == "__main__":
    main()
