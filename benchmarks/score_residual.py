"""Predict with residual graph networks, as recipe best does: compiled, and by the forward pass."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

from benchmarks.measurement import interleaved, parsed, show, write_result
from pyg_nas.compute.threads import single_threaded_pool
from pyg_nas.engine.compiled import residual_outputs
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.nn.dense_residual import DenseResidualInputs, ResidualGraphs, dense_residual
from pyg_nas.nn.residual_gnn import ResidualGNN
from pyg_nas.spaces.nasbench101 import NUM_NASBENCH101_CELLS

VERTEX_COLUMNS, GRAPH_COLUMNS = 36, 50
BLOCK, CHUNK = 4_096, 256  # CHUNK: the forward pass is fastest with so many
# The rule's widths at 172 cells, near 1,500 and from 11,000 on.
WIDTHS = (32, 64, 128)


class Inputs:
    """Cells with random features, on which the time of a network does not depend."""

    def __init__(self, cells: CellArray) -> None:
        rng = np.random.default_rng(0)
        vertices = (len(cells), cells.adjacency.shape[1], VERTEX_COLUMNS)
        self.graphs = ResidualGraphs(
            rng.normal(size=vertices).astype(np.float32),
            cells.adjacency,
            cells.num_vertices,
            rng.normal(size=(len(cells), GRAPH_COLUMNS)).astype(np.float32),
        )

    def compiled(self, network: ResidualGNN, start: int) -> np.ndarray:
        """Outputs ``[M, cells, 1]`` of the block from ``start`` on."""
        return residual_outputs(network, self.graphs.select(slice(start, start + BLOCK)))

    @torch.no_grad()
    def by_forward(self, network: ResidualGNN, start: int) -> np.ndarray:
        """The same by torch."""
        block = self.graphs.select(slice(start, start + BLOCK))
        inputs = DenseResidualInputs.from_graphs(block)
        chunks = [
            inputs.select((None, slice(first, first + CHUNK)))
            for first in range(0, len(block.graph), CHUNK)
        ]
        return torch.cat([dense_residual(network, chunk) for chunk in chunks], dim=1).numpy()


def over_all(predict: Callable[[int], np.ndarray], total: int, threads: int) -> np.ndarray:
    """Predict in blocks, each in a thread of its own."""
    with single_threaded_pool(threads) as pool:
        return np.concatenate(list(pool.map(predict, range(0, total, BLOCK))), axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--cells", type=int, default=10 * BLOCK)
    parser.add_argument("--members", type=int, default=5, help="size of the ensemble")
    arguments = parsed(parser, repeats=1, cells=4 * BLOCK)
    torch.set_num_threads(arguments.threads)

    inputs = Inputs(sample_cells(arguments.cells, seed=0))
    widths: dict[int, dict[str, Any]] = {}
    for width in WIDTHS:
        network = ResidualGNN(
            arguments.members,
            VERTEX_COLUMNS,
            GRAPH_COLUMNS,
            hidden=width,
            generator=torch.Generator().manual_seed(0),
        ).eval()
        ways = {
            name: partial(over_all, partial(way, network), arguments.cells, arguments.threads)
            for name, way in (("compiled", inputs.compiled), ("forward", inputs.by_forward))
        }
        difference = float(np.abs(ways["compiled"]() - ways["forward"]()).max())
        seconds = interleaved(ways, arguments.repeats)
        widths[width] = {
            "cells_per_second": {n: arguments.cells / s for n, s in seconds.items()},
            "faster_by": seconds["forward"] / seconds["compiled"],
            "largest_difference": difference,
        }
    show(
        f"{arguments.members} residual networks, timed on {arguments.cells:,} cells",
        ["width", "cells/s compiled", "forward", "faster by", "s for 423,624", "differ by"],
        [
            [
                str(width),
                *(f"{rate:,.0f}" for rate in found["cells_per_second"].values()),
                f"{found['faster_by']:.2f}",
                f"{NUM_NASBENCH101_CELLS / found['cells_per_second']['compiled']:.1f}",
                f"{found['largest_difference']:.0e}",
            ]
            for width, found in widths.items()
        ],
    )
    write_result(
        "score_residual",
        {
            "cells_timed": arguments.cells,
            "members": arguments.members,
            "repeats": arguments.repeats,
            "widths": widths,
        },
        arguments.results,
    )


if __name__ == "__main__":
    main()
