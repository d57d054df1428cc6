"""The tables of the predictors' figures, beside published ones, as lines of Markdown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from best_published import PUBLISHED, SIZES

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "experiments" / "results"
DRAWS = 5

METHODS = {
    "best": "`best`",
    "fast": "`fast`",
    "fast, ranks alone": "`fast` on ranks alone",
    "paper": "the paper's GCN",
    "random forest": "random forest",
    "boosted trees": "gradient-boosted trees",
    "random forest, same inputs": "random forest, inputs and labels of `fast`",
    "boosted trees, same inputs": "gradient-boosted trees, inputs and labels of `fast`",
    "parameter count": "parameter count alone",
}

# (result file, evaluated split, paper's MSE, reproduction's MSE): arXiv:1912.00848 and
# github.com/ultmaster/neuralpredictor.pytorch, both on all of NAS-Bench-101.
ROWS = [
    ("172", "all", "1.95", "3.62"),
    ("172", "denoise-80", "–", "1.90"),
    ("334", "all", "–", "–"),
    ("860", "all", "–", "2.94"),
    ("91-172", "denoise-91", "0.66", "0.74"),
    ("91-172_long", "denoise-91", "–", "0.56"),
    ("91-334", "denoise-91", "–", "–"),
    ("91-860", "denoise-91", "–", "–"),
]


def row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def split_table() -> list[str]:
    lines = [
        "| train | evaluated on | MSE | Kendall τ | runs | paper MSE | reproduction MSE |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, evaluated, paper, reproduction in ROWS:
        path = RESULTS / f"paper_{name}.json"
        if not path.exists():
            continue
        runs = [run["figures"][evaluated] for run in json.loads(path.read_text())["runs"]]
        label = name.replace("_long", " (600 epochs, lr 2e-4)")
        lines.append(
            f"| {label} | {evaluated} | {spread(runs, 'mse', 2)} | "
            f"{spread(runs, 'kendall_tau', 3)} | {len(runs)} | {paper} | {reproduction} |"
        )
    return lines


def best_table(figure: str = "kendall_tau", digits: int = 3) -> list[str]:
    runs = json.loads((RESULTS / "best_runs.json").read_text())["runs"]
    lines = [
        "| training cells | " + " | ".join(f"{size:,}" for size in SIZES) + " |",
        "|---|" + "---|" * len(SIZES),
    ]
    more: dict[int, list[str]] = {}
    for method, title in METHODS.items():
        cells = []
        for size in SIZES:
            own = [run for run in runs if (run["method"], run["train"]) == (method, size)]
            shared = [run for run in own if run["draw"] < DRAWS]
            cells.append(spread(shared, figure, digits) if shared else "–")
            if len(own) > len(shared):
                text = f"{title} {spread(own, figure, digits)} at {size:,}"
                more.setdefault(len(own), []).append(text)
        if any(cell != "–" for cell in cells):
            lines.append(f"| {title} | " + " | ".join(cells) + " |")
    if figure == "kendall_tau":
        for title, row in PUBLISHED.items():
            figures = " | ".join(f"{row[size]:.3f}" for size in SIZES)
            lines.append(f"| *published:* {title} | {figures} |")
    lines += ["", f"Mean ± standard deviation over {DRAWS} draws, the same for all rows."]
    for draws, texts in more.items():
        lines.append(f"Over {draws}: {', '.join(texts)}.")
    return lines


def spread(runs: list[dict[str, Any]], figure: str, digits: int) -> str:
    """Mean and standard deviation over the runs."""
    values = [run[figure] for run in runs]
    mean = f"{np.mean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ± {np.std(values, ddof=1):.{digits}f}"
