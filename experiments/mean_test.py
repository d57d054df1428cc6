"""NAS-Bench-101 by the published protocol: one run trains, mean test accuracy ranks.

    python experiments/mean_test.py tau nasbench101_20k.hdf5 nasbench101_test.hdf5
    python experiments/mean_test.py by-test nasbench101_20k.hdf5 nasbench101_test.hdf5
    python experiments/mean_test.py table nasbench101_20k.hdf5 nasbench101_test.hdf5 OUT.hdf5

Trained on the validation accuracy of a single run at 108 epochs; ranked by the mean test accuracy
of three runs. The second file has two arrays, ``hash`` and ``mean_test_accuracy``, for any cells of
the space. No label beyond those of the training cells is used for any choice.

Training cells are those of the draws of ``best_runs.py``. All other cells of the second file are
evaluated, except the development half of the first, on which the recipes were developed.

``by-test`` trains ``fast`` on the mean test accuracies of random cells instead, up to as many cells
as a recipe takes. This is no protocol: it shows what the noise of the label and the number of cells
cost.

``table`` writes the half of the first file on which the recipes were not developed, with these test
accuracies, for ``search_methods.py``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import h5py
import numpy as np
import typer
from best_published import SIZES
from best_runs import METHODS, RESULTS, draw_rows, report_half, run_plan
from numpy.typing import NDArray

from pyg_nas.data.protocols.labels import PAPER_LABEL
from pyg_nas.data.tables.table import Table
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.metrics.regression import kendall_tau
from pyg_nas.spaces.nasbench101 import nasbench101_cells, nasbench101_hashes

RESULT = RESULTS / "mean_test.json"
BY_TEST_RESULT = RESULTS / "mean_test_by_test.json"
BY_TEST_DRAWS = {100: 20, 172: 20, 424: 20, 4236: 5, 20_000: 1}
DRAWS = {"fast": {100: 20, 172: 20, 424: 20, 4236: 5}, **dict.fromkeys(("best", "paper"), 5)}
PROTOCOL = (
    f"trained on {PAPER_LABEL}; ranked by the mean test accuracy of three runs on all cells of the "
    "test file but the training cells and the development half"
)

app = typer.Typer(add_completion=False)
TableFile = Annotated[Path, typer.Argument(help="Cells with validation accuracies.")]
TestFile = Annotated[Path, typer.Argument(help="HDF5 file: hash, mean_test_accuracy.")]


def read_test(path: Path) -> tuple[NDArray[np.bytes_], NDArray[np.float64]]:
    """Return the module hashes ``[N]``, sorted, and the mean test accuracies ``[N]``."""
    with h5py.File(path) as file:
        hashes, accuracies = file["hash"][:], file["mean_test_accuracy"][:]
    order = np.argsort(hashes)
    return hashes[order], accuracies[order]


def cells_of(hashes: NDArray[np.bytes_]) -> CellArray:
    """Return the cells of NAS-Bench-101 that have these sorted hashes, in their order."""
    all_hashes = nasbench101_hashes()
    order = np.argsort(all_hashes)
    return nasbench101_cells()[order[np.searchsorted(all_hashes[order], hashes)]]


def plan() -> list[tuple[str, int, int]]:
    """Return (method, training cells, draw), the cheapest first."""
    return [
        (method, size, draw)
        for size in SIZES
        for method, draws in DRAWS.items()
        for draw in range(draws[size] if isinstance(draws, dict) else draws)
    ]


@app.command()
def tau(table: TableFile, test: TestFile) -> None:
    """Fit every recipe to every draw and rank all other cells."""
    sample = Table.load(table)
    labels = sample.label(PAPER_LABEL)
    hashes, accuracies = read_test(test)
    cells = cells_of(hashes)
    development = np.delete(sample.hashes, report_half(sample))

    def run(method: str, size: int, draw: int) -> dict[str, Any]:
        train, _ = draw_rows(sample, draw, size)
        model = METHODS[method](draw).fit(sample.cells[train], labels[train])
        others = ~np.isin(hashes, np.concatenate([sample.hashes[train], development]))
        # All cells are predicted, as their features are kept from one draw to the next.
        predicted = model.predict(cells)[others]
        return {
            "method": method,
            "train": size,
            "draw": draw,
            "evaluated": int(others.sum()),
            "kendall_tau": kendall_tau(accuracies[others], predicted),
        }

    head = {"table": table.name, "test": test.name, "protocol": PROTOCOL}
    run_plan(RESULT, head, plan(), run)


@app.command()
def by_test(table: TableFile, test: TestFile) -> None:
    """Fit fast to the accuracies that rank, of random cells, and rank all other cells."""
    sample = Table.load(table)
    hashes, accuracies = read_test(test)
    cells = cells_of(hashes)
    used = ~np.isin(hashes, np.delete(sample.hashes, report_half(sample)))

    def run(method: str, size: int, draw: int) -> dict[str, Any]:
        order = np.random.default_rng(draw).permutation(np.flatnonzero(used))
        train, others = order[:size], np.sort(order[size:])
        model = METHODS[method](draw).fit(cells[train], accuracies[train])
        predicted = model.predict(cells)[others]
        return {
            "method": method,
            "train": size,
            "draw": draw,
            "evaluated": len(others),
            "kendall_tau": kendall_tau(accuracies[others], predicted),
        }

    protocol = "trained on and ranked by the mean test accuracy of three runs"
    head = {"table": table.name, "test": test.name, "protocol": protocol}
    plan = [("fast", size, d) for size, draws in BY_TEST_DRAWS.items() for d in range(draws)]
    run_plan(BY_TEST_RESULT, head, plan, run)


@app.command()
def table(
    table: TableFile, test: TestFile, out: Annotated[Path, typer.Argument(help="Table to write.")]
) -> None:
    """Write the half on which the recipes were not developed, with mean test accuracies."""
    sample = Table.load(table)
    sample = sample.subset(np.sort(report_half(sample)))
    hashes, accuracies = read_test(test)
    rows = np.searchsorted(hashes, sample.hashes)
    if (rows == len(hashes)).any() or (hashes[rows] != sample.hashes).any():
        raise SystemExit(f"{test}: lacks a cell of {table}")
    # The mean of the one number that is there.
    sample.metrics[:, -1, 0, 1, 3] = accuracies[rows]
    sample.save(out)


if __name__ == "__main__":
    app()
