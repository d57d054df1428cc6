"""How many evaluated architectures of NAS-Bench-201 compute the same as a training architecture.

    python experiments/equal_architectures.py

Published splits draw training architectures at random from all 15,625 and evaluate on the rest. The
space alone decides the figure: no measurement is used.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from pyg_nas.spaces.nasbench201.architectures import EDGE_CELLS

TRAIN_SIZES = (78, 156, 469, 781, 1563)
DRAWS = 20
RESULT = Path(__file__).parent / "results" / "equal_architectures.json"


def main() -> None:
    cells = EDGE_CELLS.representatives
    rows = []
    for size in TRAIN_SIZES:
        shares = []
        for seed in range(DRAWS):
            order = np.random.default_rng(seed).permutation(len(cells))
            train, rest = cells[order[:size]], cells[order[size:]]
            shares.append(np.isin(rest, train).mean())
        rows.append(
            {"train": size, "mean": float(np.mean(shares)), "std": float(np.std(shares, ddof=1))}
        )
        print(f"{size:5d} training architectures: {rows[-1]['mean']:.1%} of the others are equal")
    result = {
        "architectures": len(cells),
        "cells": len(np.unique(cells)),
        "draws": DRAWS,
        "share_of_evaluated_architectures_equal_to_a_training_one": rows,
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
