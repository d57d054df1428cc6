"""How the recipe ``best`` would go on with more training cells, from its learning curve.

    python experiments/learning_law.py

Were predictions and labels normal, a share ``1 - sin(pi tau / 2)^2`` of the labels' variance would
be unexplained. A part that stays and a power of the number of cells are fitted to its logarithm,
from 100 cells on. Intervals are from resampling the draws of training cells, the same ones at
all sizes: a draw's larger training sets hold its smaller ones, and all are evaluated on the same
cells. Five draws resampled give intervals that are rather too narrow. Only at 8,000 cells are the
evaluated cells others, as few are left.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from best_learning_curve import SIZES
from best_runs import RESULTS, taus
from numpy.typing import NDArray
from scipy.optimize import curve_fit

from pyg_nas.files import write_text
from pyg_nas.statistics import finite_or_none

METHOD = "best"
FITTED = [size for size in SIZES if size >= 100]
AIM = 0.895
RESAMPLINGS = 1_000
Array = NDArray[np.float64]


def main() -> None:
    runs = json.loads((RESULTS / "best_runs.json").read_text())["runs"]
    measured = np.array([np.mean(taus(runs, METHOD, size)) for size in FITTED])
    found = law(measured)
    by_draw = taus_by_draw(runs)
    rng = np.random.default_rng(0)
    resampled = [
        list(law(by_draw[rng.integers(len(by_draw), size=len(by_draw))].mean(axis=0)).values())
        for _ in range(RESAMPLINGS)
    ]
    # Not interpolated: a curve that never reaches the aim makes an end infinite.
    ends = np.percentile(resampled, [2.5, 97.5], axis=0, method="nearest")
    result: dict[str, Any] = {
        "method": METHOD,
        "train": FITTED,
        "kendall_tau": measured.tolist(),
        "resamplings": RESAMPLINGS,
        "aim": AIM,
        "law": {
            name: {
                "value": finite_or_none(value),
                "low": finite_or_none(low),
                "high": finite_or_none(high),
            }
            for (name, value), low, high in zip(found.items(), *ends.tolist(), strict=True)
        },
    }
    write_text(RESULTS / "learning_law.json", json.dumps(result, indent=1, allow_nan=False) + "\n")
    print(json.dumps(result["law"], indent=1))


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
