"""Whole fits of the recipes fast and best, and best's networks against a plain autograd loop."""

from __future__ import annotations

import argparse
import os
from functools import partial
from typing import Any
from unittest.mock import patch

import torch

from benchmarks.measurement import interleaved, show, write_result
from pyg_nas.engine import residual
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.predictors.recipes import make_estimator
from pyg_nas.predictors.residual_gnn import ResidualGNNRegressor

MEMBERS = 5  # of recipe best


def fit_by_autograd(cells: Any, y: Any) -> None:
    """The networks' training as a loop over torch operations, all members in batched products."""
    with patch.object(residual, "use_compiled", lambda *_: False):
        ResidualGNNRegressor(MEMBERS, device="cpu").fit(cells, y)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--cells", type=int, nargs="+", default=[172, 424, 1000])
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    ResidualGNNRegressor(1, epochs=1).fit(sample_cells(20, seed=1), range(20))  # compiles
    found: dict[int, dict[str, float]] = {}
    for count in arguments.cells:
        cells = sample_cells(count, seed=0)
        # Time does not depend on the labels; these are structured and need no measurement.
        y = cells.trainable_parameters() / 5e7
        contenders = {
            "fast": lambda cells=cells, y=y: make_estimator("fast").fit(cells, y),
            "best": lambda cells=cells, y=y: make_estimator("best").fit(cells, y),
            "networks": partial(ResidualGNNRegressor(MEMBERS, device="cpu").fit, cells, y),
            "networks by autograd": partial(fit_by_autograd, cells, y),
        }
        found[count] = interleaved(contenders, arguments.repeats)
    show(
        f"Seconds for a fit, {MEMBERS} networks",
        ["cells", *next(iter(found.values())), "autograd / compiled"],
        [
            [
                str(count),
                *(f"{value:.2f}" for value in seconds.values()),
                f"{seconds['networks by autograd'] / seconds['networks']:.2f}",
            ]
            for count, seconds in found.items()
        ],
    )
    write_result("fit", {"repeats": arguments.repeats, "members": MEMBERS, "seconds": found})


if __name__ == "__main__":
    main()
