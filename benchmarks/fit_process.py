"""Time fits and updates of recipes in the package that ``PYTHONPATH`` names, for ``fit.py``.

Reads one JSON list ``[what, recipe, cells]`` a line and answers with seconds of a fit, an update, a
round of a search or the first round after a fit, or of what they are compared with: the Cholesky
factor of a matrix ``[cells, cells]``, and the matrix products of the networks' layers alone. Names
are looked for in two places, because code from before the rooms is timed too.
"""

from __future__ import annotations

import json
import sys
import time
from copy import deepcopy
from typing import Any

import numpy as np
import torch

try:
    from pyg_nas.graphs.enumeration import sample_cells
    from pyg_nas.predictors.recipes import make_estimator
except ImportError:
    from pyg_nas.enumeration import sample_cells  # type: ignore[import-not-found, no-redef]
    from pyg_nas.recipes import make_estimator  # type: ignore[import-not-found, no-redef]

UPDATE = 4
"""New labels of an update."""


def fitted(recipe: str, cells: Any, labels: Any) -> Any:
    return make_estimator(recipe).fit(cells, labels)


def factor_seconds(count: int) -> float:
    """Return the least seconds of the Cholesky factor of a matrix ``[count, count]``."""
    root = torch.randn(count, count, dtype=torch.float64)
    matrix = root @ root.T + count * torch.eye(count, dtype=torch.float64)
    least = float("inf")
    for _ in range(10):
        start = time.perf_counter()
        torch.linalg.cholesky(matrix)
        least = min(least, time.perf_counter() - start)
    return least


def round_seconds(model: Any, cells: Any, labels: Any, first: bool) -> float:
    """Return the seconds of a round of a search on NAS-Bench-101: an update, then all cells' means.

    The round before it updated and scored another copy of the same fit, with half of the labels;
    before the ``first`` one the fit itself scored them.
    """
    from pyg_nas.spaces.nasbench101 import nasbench101_cells

    space, half = nasbench101_cells(), len(cells) // 2
    before = model if first else deepcopy(model).update(cells[:half], labels[:half])
    before.predict(space)
    start = time.perf_counter()
    deepcopy(model).update(cells, labels).predict(space)
    return time.perf_counter() - start


def product_seconds(model: Any, count: int) -> float:
    """Return the seconds of the products with the layers' weights in training a fit's networks.

    There are three for each layer and step: one forward, two for the gradients. Each member's are
    computed in one thread, as in training. A twentieth of the steps is timed.
    """
    from pyg_nas.compute.threads import single_threaded_pool

    networks = model.networks_
    members, _, width = networks.network_.embed.shape
    batch = networks.batch_size
    rows = round(batch * float(model._training[0].num_vertices.mean()))
    steps = networks.epochs_for(count) * ((count - count // 10) // batch)
    states, weights = np.ones((rows, width), np.float32), np.ones((width, 3 * width), np.float32)

    def train(member: int) -> None:
        sent, back, slope = states @ weights, np.empty_like(states), np.empty_like(weights)
        for _ in range(networks.depth * (steps // 20)):
            np.dot(states, weights, sent)
            np.dot(states.T, sent, slope)
            np.dot(sent, weights.T, back)

    with single_threaded_pool(torch.get_num_threads()) as pool:
        start = time.perf_counter()
        list(pool.map(train, range(members)))
        return 20 * (time.perf_counter() - start)


def seconds(what: str, recipe: str, count: int) -> float:
    """Return the seconds of one job, for a fit to ``count`` cells."""
    if what == "factor":
        return factor_seconds(count)
    cells = sample_cells(count + 2 * UPDATE, seed=0)
    # Time does not depend on the labels; these are structured and need no measurement.
    labels = cells.trainable_parameters() / 5e7
    start = time.perf_counter()
    model = fitted(recipe, cells[:count], labels[:count])
    if what == "fit":
        return time.perf_counter() - start
    if what in ("round", "first round"):
        return round_seconds(model, cells[count:], labels[count:], what == "first round")
    if what == "products":
        return product_seconds(model, count)
    start = time.perf_counter()
    model.update(cells[count : count + UPDATE], labels[count : count + UPDATE])
    return time.perf_counter() - start


def main() -> None:
    torch.set_num_threads(int(sys.argv[1]))
    for line in sys.stdin:
        print(json.dumps(seconds(*json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
