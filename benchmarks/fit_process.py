"""Time fits and updates of recipes in the package that ``PYTHONPATH`` names, for ``fit.py``.

Reads one JSON list ``[what, recipe, cells]`` a line and answers with seconds. With
``factor`` they are those of the Cholesky factor of a matrix ``[cells, cells]``, a unit. Names are
looked for in two places, because code from before the rooms is timed too.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

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


def seconds(what: str, recipe: str, count: int) -> float:
    """Return the seconds of a fit to ``count`` cells, of the update of one, or of a factor."""
    if what == "factor":
        return factor_seconds(count)
    cells = sample_cells(count + UPDATE, seed=0)
    # Time does not depend on the labels; these are structured and need no measurement.
    labels = cells.trainable_parameters() / 5e7
    if what == "update":
        model = fitted(recipe, cells[:count], labels[:count])
    start = time.perf_counter()
    if what == "update":
        model.update(cells[count:], labels[count:])
    else:
        fitted(recipe, cells[:count], labels[:count])
    return time.perf_counter() - start


def main() -> None:
    torch.set_num_threads(int(sys.argv[1]))
    for line in sys.stdin:
        print(json.dumps(seconds(*json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
