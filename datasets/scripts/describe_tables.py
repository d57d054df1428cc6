"""Computes the figures of the data card from the shipped tables and writes them into it.

python datasets/scripts/describe_tables.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau, spearmanr

from pyg_nas.data.tables.table import Table
from pyg_nas.errors import TableError
from pyg_nas.io.files import write_text
from pyg_nas.spaces.measurements import METRICS

HERE = Path(__file__).parents[1]
TABLES = ("nasbench_digits", "nasbench201_digits", "nasbench201_textures")
PARTS = METRICS[1:]
CHANCE = 0.15


def spread(runs: NDArray[np.float64]) -> tuple[float, float]:
    """Returns the spread between cells and between seeds of ``[cells, seeds]`` accuracies.

    Between cells: standard deviation of the cells' means. Between seeds: square root of the mean
    over all cells of the variance among a cell's seeds.
    """
    return runs.mean(1).std(ddof=1), np.sqrt(runs.var(axis=1, ddof=1).mean())


def figures(table: Table) -> str:
    """Returns the card's figures in Markdown."""
    end = table.metrics[:, :, :, 1].astype(np.float64)
    hours = end[..., 0].sum() / 3600
    lines = [
        f"- {len(table):,} cells, {table.num_runs} seeds, budgets of "
        f"{', '.join(map(str, table.budgets))} epochs: {end[..., 0].size:,} runs.",
        f"- Training took {hours:.2f} hours of one processor core, {hours * 3600 / len(table):.2f} "
        f"seconds a cell; reading the accuracies is not in it.",
        f"- Runs that end below {CHANCE:.0%} test accuracy (chance is 10 %): "
        + ", ".join(
            f"{(end[:, b, :, 3] < CHANCE).mean():.2%} at {budget} epochs"
            for b, budget in enumerate(table.budgets)
        )
        + ".",
        "",
        "Distribution of the cells' mean accuracies, and noise:",
        "",
        "| epochs | accuracy | lowest | 5 % | median | 95 % | highest | between cells "
        "| between seeds | ratio |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for b, budget in enumerate(table.budgets):
        for m, part in enumerate(PARTS, start=1):
            runs = end[:, b, :, m]
            quantiles = np.percentile(runs.mean(1), [0, 5, 50, 95, 100])
            cells, seeds = spread(runs)
            lines.append(
                f"| {budget} | {part.removesuffix('_accuracy')} | "
                + " | ".join(f"{q:.3f}" for q in quantiles)
                + f" | {cells:.4f} | {seeds:.4f} | {cells / seeds:.2f} |"
            )
    largest = end[:, -1]
    taus = [
        kendalltau(largest[:, i, 2], largest[:, j, 2])[0]
        for i in range(table.num_runs)
        for j in range(i)
    ]
    mean = end[..., 2].mean(2)
    lines += [
        "",
        f"- Kendall's rank correlation of the validation accuracies of two seeds at "
        f"{table.budgets[-1]} epochs: {np.mean(taus):.3f} on average. The mean of validation and "
        f"the mean of test accuracy: {kendalltau(mean[:, -1], largest[..., 3].mean(1))[0]:.3f}.",
        "- Spearman's rank correlation of the mean validation accuracy at "
        + ", ".join(
            f"{budget} and {table.budgets[-1]} epochs: {spearmanr(mean[:, b], mean[:, -1])[0]:.3f}"
            for b, budget in enumerate(table.budgets[:-1])
        )
        + f"; of the network's parameters and it: "
        f"{spearmanr(table.trainable_parameters, mean[:, -1])[0]:.3f}.",
        "",
        f"Best cells by mean validation accuracy at {table.budgets[-1]} epochs:",
        "",
        "| module hash | validation | test | vertices | edges | parameters |",
        "|---|---|---|---|---|---|",
    ]
    for row in np.argsort(-mean[:, -1], kind="stable")[:10].tolist():
        cell = table.cells[row]
        lines.append(
            f"| `{cell.hash}` | {mean[row, -1]:.4f} | {largest[row, :, 3].mean():.4f} "
            f"| {cell.num_vertices} | {cell.num_edges} | {table.trainable_parameters[row]:,} |"
        )
    return "\n".join(lines)


def agreement(one: Table, other: Table) -> str:
    """Returns how far the tasks of two tables with the same cells agree, in Markdown."""
    if not np.array_equal(one.hashes, other.hashes):
        raise TableError("the two tables have other cells or another order of them")
    means = [table.metrics[:, -1, :, 1, 2:].mean(axis=(1, 2)) for table in (one, other)]
    return (
        "- Kendall's rank correlation of the two tasks' mean accuracies on unseen images at the "
        f"largest budget: {kendalltau(*means)[0]:.3f}."
    )


def main() -> None:
    """Write the figures of each table between the card's two marks for it."""
    card = HERE / "README.md"
    content = card.read_text(encoding="utf-8")
    tables = {name: Table.load(HERE / f"{name}.hdf5") for name in TABLES}
    texts = {name: figures(table) for name, table in tables.items()}
    texts["agreement"] = agreement(*(tables[name] for name in TABLES[1:]))
    for name, text in texts.items():
        start, end = (f"<!-- {name}: {mark} -->" for mark in ("start", "end"))
        before, rest = content.split(start)
        content = f"{before}{start}\n{text}\n{end}{rest.split(end)[1]}"
        print(text)
    write_text(card, content)


if __name__ == "__main__":
    main()
