"""Coverage, top-K and error of all runs in ``best_runs.json``, as means with intervals.

python experiments/best_coverage.py
"""

from __future__ import annotations

import json

from best_runs import RESULTS

from pyg_nas.io.files import write_text
from pyg_nas.metrics.intervals import mean_interval

SKIPPED = ("method", "train", "draw", "evaluated")


def main() -> None:
    runs = json.loads((RESULTS / "best_runs.json").read_text())["runs"]
    rows = []
    for method, size in dict.fromkeys((run["method"], run["train"]) for run in runs):
        same = [run for run in runs if (run["method"], run["train"]) == (method, size)]
        if len(same) < 2:
            continue
        row = {"method": method, "train": size, "draws": len(same)}
        for name in same[0]:
            if name not in SKIPPED:
                row[name] = mean_interval([run[name] for run in same]).to_dict()
        rows.append(row)
        print(f"{method}, {size} cells, {len(same)} draws")
        for name, value in row.items():
            if isinstance(value, dict):
                print(f"  {name:28s}{value['mean']:9.4f} [{value['low']:.4f}, {value['high']:.4f}]")
    write_text(RESULTS / "best_summary.json", json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
