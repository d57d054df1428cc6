"""The recipe ``best`` with more training cells, extrapolated from its learning curve.

    python experiments/learning_law.py

Were predictions and labels normal, a share ``1 - sin(pi tau / 2)^2`` of the labels' variance would
be unexplained. A constant part and a power of the number of cells are fitted to its logarithm,
from 100 cells on, over the draws that all sizes have: a draw's larger training sets contain
its smaller ones, and all are evaluated on the same cells. Intervals are by Student's t from the
jackknife over draws, of the limit and the power as they are and of the logarithm of the number of
cells. Only at 8,000 cells are the evaluated cells others, as few are left.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from best_learning_curve import SIZES
from best_runs import RESULTS
from numpy.typing import NDArray
from scipy.optimize import curve_fit
from scipy.stats import t

from pyg_nas.io.files import write_text
from pyg_nas.metrics.intervals import CONFIDENCE, finite_or_none

METHOD = "best"
FITTED = [size for size in SIZES if size >= 100]
AIM = 0.895
Array = NDArray[np.float64]


def main() -> None:
    runs = json.loads((RESULTS / "best_runs.json").read_text())["runs"]
    by_draw = taus_by_draw(runs)
    result: dict[str, Any] = {
        "method": METHOD,
        "train": FITTED,
        "draws": len(by_draw),
        "kendall_tau": by_draw.mean(axis=0).tolist(),
        "aim": AIM,
        "law": with_intervals(by_draw),
    }
    write_text(RESULTS / "learning_law.json", json.dumps(result, indent=1, allow_nan=False) + "\n")
    print(json.dumps(result["law"], indent=1))


def with_intervals(by_draw: Array) -> dict[str, dict[str, float | None]]:
    """Fit the law to Kendall τ ``[draws, sizes]``; value, low and high of each of its numbers."""
    draws = len(by_draw)
    fitted = law(by_draw.mean(axis=0))
    without = [law(np.delete(by_draw, draw, axis=0).mean(axis=0)) for draw in range(draws)]
    found = {}
    for name, value in fitted.items():
        scale, back = (np.log, np.exp) if name == "cells_for_aim" else (float, float)
        each = np.array([scale(other[name]) for other in without])
        error = np.sqrt((draws - 1) * each.var()) * t.ppf((1 + CONFIDENCE) / 2, draws - 1)
        # A curve that never reaches the aim, the whole one or one without a draw, has no end.
        ends = (back(scale(value) - error), back(scale(value) + error))
        found[name] = dict(
            zip(("value", "low", "high"), map(finite_or_none, (value, *ends)), strict=True)
        )
    return found


def taus_by_draw(runs: list[dict[str, Any]]) -> Array:
    """Kendall τ of the draws that every size has, ``[draws, sizes]``."""
    known = {
        (run["draw"], run["train"]): run["kendall_tau"] for run in runs if run["method"] == METHOD
    }
    draws = [
        draw
        for draw in sorted({draw for draw, _ in known})
        if all((draw, size) in known for size in FITTED)
    ]
    return np.array([[known[draw, size] for size in FITTED] for draw in draws])


def law(kendall_tau: Array) -> dict[str, float]:
    """Fit the law to mean Kendall τ ``[sizes]`` at :data:`FITTED`."""
    thousands = np.array(FITTED) / 1_000

    def log_unexplained(n: Array, log_stays: float, log_falls: float, power: float) -> Array:
        return np.logaddexp(log_stays, log_falls - power * np.log(n))

    (log_stays, log_falls, power), _ = curve_fit(
        log_unexplained, thousands, np.log(unexplained(kendall_tau)), p0=(-4.0, -3.5, 0.5)
    )
    stays = np.exp(log_stays)
    above = unexplained(AIM) - stays
    return {
        "power": float(power),
        "limit": tau_leaving(stays),
        "cells_for_aim": float(1_000 * (np.exp(log_falls) / above) ** (1 / power))
        if above > 0
        else float("inf"),
    }


def unexplained(kendall_tau: Any) -> Any:
    """Share ``1 - r^2`` of a normal variable's variance, where ``tau = 2 / pi asin(r)``."""
    return np.cos(np.pi / 2 * kendall_tau) ** 2


def tau_leaving(share: float) -> float:
    """Kendall τ at which :func:`unexplained` is ``share``."""
    return float(2 / np.pi * np.arcsin(np.sqrt(1 - share)))


if __name__ == "__main__":
    main()
