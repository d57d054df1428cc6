"""How well latencies of a family that was never measured are predicted: the shipped table.

    python experiments/network_latency.py

The table has small networks of nine families (``datasets/README.md``). Each family in turn is left
out of the fit, and then predicted by the recipe ``latency``, by boosted trees on parameters,
multiply-accumulates and bytes, and by the multiply-accumulates alone (one power law). Beside it
stands the same with a tenth of all networks left out, whose families are known. On this table one
thing was chosen: that work beyond what 99 % of the training networks have of a kind is charged at
the rate of all kinds together. Finished parts are kept and not repeated.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from finished_runs import append_line, digest_of, finished_runs
from latency import errors, totals
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.ensemble import HistGradientBoostingRegressor

from pyg_nas.data.networks.table import NetworkTable
from pyg_nas.data.tables.shipped import shipped_latencies
from pyg_nas.io.files import write_text
from pyg_nas.predictors.cost.latency import LatencyRegressor

RESULT = Path(__file__).parent / "results" / "network_latency.json"
KNOWN = "known families"

Floats = NDArray[np.float64]


def predictions(
    table: NetworkTable, families: NDArray[np.str_], unseen: NDArray[np.bool_]
) -> dict[str, list[float]]:
    """Return the predictions of each method for rows that are left out, and which intervals hold.

    Args:
        table: Networks with a latency, ``N``.
        families: Their families ``[N]``.
        unseen: Which are left out ``[N]``.
    """
    seconds = table.targets["latency"]
    rest, left_out = np.flatnonzero(~unseen), np.flatnonzero(unseen)
    model = LatencyRegressor().fit(table.networks.select(rest), seconds[rest], families[rest])
    networks = table.networks.select(left_out)
    low, high = model.predict_interval(networks, coverage=0.9)
    inputs = totals(table.networks)
    trees = HistGradientBoostingRegressor(
        max_iter=300, learning_rate=0.05, max_leaf_nodes=8, min_samples_leaf=5, random_state=0
    ).fit(inputs[rest], np.log(seconds[rest]))
    slope, height = np.polyfit(inputs[rest, 1], np.log(seconds[rest]), 1)
    inside = (low <= seconds[left_out]) & (seconds[left_out] <= high)
    return {
        "latency": model.predict(networks).tolist(),
        "trees on totals": np.exp(trees.predict(inputs[left_out])).tolist(),
        "macs": np.exp(slope * inputs[left_out, 1] + height).tolist(),
        "inside": inside.astype(float).tolist(),
    }


def figures(predicted: dict[str, Any], seconds: Floats) -> dict[str, Any]:
    """Return the errors of each method, relative to the measured latencies ``[n]``."""
    found: dict[str, Any] = {"networks": len(seconds)}
    for name in ("latency", "trees on totals", "macs"):
        values = np.array(predicted[name])
        order = float(spearmanr(values, seconds).statistic)
        found[name] = {**errors(seconds, values), "spearman": order}
    found["intervals_of_90_percent_hold"] = float(np.mean(predicted["inside"]))
    return found


def main(
    table: Annotated[Path | None, typer.Option(help="Another table of the same script.")] = None,
    out: Annotated[Path, typer.Option(help="Result file.")] = RESULT,
) -> None:
    """Write the result file."""
    opened = shipped_latencies() if table is None else NetworkTable.load(table)
    opened = opened.subset(np.flatnonzero(np.isfinite(opened.targets["latency"])))
    seconds = opened.targets["latency"]
    families = np.array([json.loads(name)["family"] for name in opened.names])
    # Equal graphs are in one part.
    graph = np.unique(opened.hashes, return_inverse=True)[1]
    part = np.random.default_rng(0).permutation(graph.max() + 1)[graph] % 10
    jobs = {f"without {name}": families == name for name in np.unique(families).tolist()}
    jobs |= {f"{KNOWN} {number}": part == number for number in range(10)}
    path = out.with_suffix(".jsonl")
    data = digest_of(opened.hashes, seconds)
    done: dict[str, Any] = {run["job"]: run["found"] for run in finished_runs(path, data)}
    for name, unseen in jobs.items():
        if name not in done:
            done[name] = predictions(opened, families, unseen)
            append_line(path, {"data": data, "job": name, "found": done[name]})
            print(name, json.dumps(figures(done[name], seconds[unseen])), flush=True)
    result: dict[str, Any] = {"about": opened.about}
    for title, start in (("unseen families", "without "), (KNOWN, KNOWN)):
        chosen = [name for name in jobs if name.startswith(start)]
        joined = {
            key: [value for name in chosen for value in done[name][key]] for key in done[chosen[0]]
        }
        result[title] = figures(joined, np.concatenate([seconds[jobs[name]] for name in chosen]))
    for name, unseen in jobs.items():
        if name.startswith("without "):
            result[name] = figures(done[name], seconds[unseen])
    write_text(out, json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    typer.run(main)
