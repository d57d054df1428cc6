"""The Pareto front of accuracy against a cost: the cells that no other beats in both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pyg_nas.errors import SettingsError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def pareto_front(accuracy: NDArray[np.float64], cost: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the indices of the cells on the front, cheapest first.

    A cell is on the front if no other is at least as accurate and at most as costly, and better
    in one of the two. Of cells equal in both, the first stands for all. Cells with NaN in either
    are left out.

    Args:
        accuracy: ``[N]``, more is better.
        cost: ``[N]`` parameters or seconds, less is better.

    Raises:
        SettingsError: If the lengths differ.
    """
    if accuracy.shape != cost.shape or accuracy.ndim != 1:
        raise SettingsError(
            f"accuracy and cost must both be [N], got {accuracy.shape} and {cost.shape}"
        )
    known = np.flatnonzero(~(np.isnan(accuracy) | np.isnan(cost)))
    order = known[np.lexsort((known, -accuracy[known], cost[known]))]
    best_so_far = np.maximum.accumulate(np.concatenate([[-np.inf], accuracy[order]]))
    return np.asarray(order[accuracy[order] > best_so_far[:-1]], dtype=np.int64)


def plot_pareto(
    accuracy: NDArray[np.float64], cost: NDArray[np.float64], cost_name: str, title: str
) -> Figure:
    """Draw all cells and, as steps, their front.

    Args:
        accuracy: Fractions ``[N]``.
        cost: ``[N]``, positive.
        cost_name: Axis label, with its unit.
        title: Title; says what the accuracy is.
    """
    from matplotlib.figure import Figure

    front = pareto_front(accuracy, cost)
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(cost, 100 * accuracy, ".", color="0.6", markersize=4, label="trained cells")
    axes.step(
        cost[front],
        100 * accuracy[front],
        where="post",
        marker="o",
        markersize=4,
        color="C1",
        label="Pareto front",
    )
    axes.set_xscale("log")
    axes.set_xlabel(cost_name)
    axes.set_ylabel("accuracy, %")
    if len(front):
        # A few blown-up runs would press everything else into one line.
        low = np.nanquantile(100 * accuracy, 0.05)
        high = np.nanmax(100 * accuracy)
        axes.set_ylim(low - 0.1 * (high - low) - 1e-3, high + 0.05 * (high - low) + 1e-3)
    axes.set_title(title)
    axes.legend()
    return figure
