"""Time fits and updates of recipes in the package that ``PYTHONPATH`` names, for ``fit.py``.

Reads one JSON list ``[what, recipe, cells]`` a line and answers with seconds. Names are looked for
in two places, because code from before the rooms is timed too.
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


def seconds(what: str, recipe: str, count: int) -> float:
    """Return the seconds of a fit to ``count`` cells, or of the update of one by more."""
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
