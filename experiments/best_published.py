"""Kendall τ of the recipes and baselines beside the published figures, by training size.

    python experiments/best_published.py [TABLE] [--draws 5]

Published figures are ranked against the mean test accuracy of three runs over the whole space;
here labels and evaluation are one run's validation accuracy, whose noise lowers τ, on real cells
that were used neither for training nor to develop the recipe. Top-K and coverage come from the same
runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from best_runs import REAL_SAMPLE, RESULTS, run_all, taus

PUBLISHED = {
    "Neural Predictor": {100: 0.391, 172: 0.545, 424: 0.679, 4236: 0.769},
    "TNASP": {100: 0.600, 172: 0.669, 424: 0.705, 4236: 0.820},
    "PINAT, ranking loss": {100: 0.717, 172: 0.764, 424: 0.812, 4236: 0.854},
    "NN-Former": {100: 0.709, 172: 0.765, 424: 0.809, 4236: 0.877},
}
SIZES = (100, 172, 424, 4236)
# With few training cells draws differ most, and these three are quickly fitted.
FEW, MORE_DRAWS = SIZES[:2], 20
MORE = ("fast", "fast, ranks alone", "best")
CHEAP = (
    "fast",
    "parameter count",
    "boosted trees",
    "random forest",
    "boosted trees, same inputs",
    "random forest, same inputs",
    "fast, ranks alone",
)


def main(
    table: Annotated[Path, typer.Argument(help="The real sample.")] = REAL_SAMPLE,
    draws: Annotated[int, typer.Option(help="Draws of training cells.")] = 5,
) -> None:
    # The cheapest and most wanted come first: a stopped run leaves a table that can be read.
    plan = [("fast", size, d) for size in SIZES[:3] for d in range(draws)]
    plan += [("best", 172, d) for d in range(draws)]
    plan += [(method, 172, d) for method in CHEAP[1:] for d in range(draws)]
    plan += [("fast", 4236, d) for d in range(draws)]
    plan += [("best", size, d) for size in (100, 424, 4236) for d in range(draws)]
    plan += [(m, size, d) for m in CHEAP[1:] for size in SIZES for d in range(draws)]
    plan += [("paper", size, d) for size in SIZES for d in range(draws)]
    plan += [(method, size, d) for method in MORE for size in FEW for d in range(MORE_DRAWS)]
    runs = run_all(RESULTS / "best_runs.json", table, plan)
    print(f"{'':22s}" + "".join(f"{size:>8d}" for size in SIZES))
    for name, row in PUBLISHED.items():
        print(f"{name:22s}" + "".join(f"{row[size]:8.3f}" for size in SIZES))
    for name in dict.fromkeys(run["method"] for run in runs):
        found = [taus(runs, name, size) for size in SIZES]
        print(f"{name:22s}" + "".join(f"{np.mean(t):8.3f}" if t else "       –" for t in found))


if __name__ == "__main__":
    typer.run(main)
