"""Turn the split experiments' results into the README's table, beside published figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "experiments" / "results"
BEGIN, END = "<!-- splits: begin -->", "<!-- splits: end -->"

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


def main() -> None:
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
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN)
    tail = rest.split(END)[1]
    readme.write_text(f"{head}{BEGIN}\n" + "\n".join(lines) + f"\n{END}{tail}", encoding="utf-8")
    print("\n".join(lines))


def spread(runs: list[dict[str, Any]], figure: str, digits: int) -> str:
    """Mean and standard deviation over the runs."""
    values = [run[figure] for run in runs]
    return f"{np.mean(values):.{digits}f} ± {np.std(values, ddof=1):.{digits}f}"


if __name__ == "__main__":
    main()
