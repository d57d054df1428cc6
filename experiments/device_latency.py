"""Latency of NAS-Bench-201 architectures on real devices from few labels.

    python experiments/device_latency.py nasbench201.hdf5

The file has the arrays ``operations``, ``hw_nas_bench/cifar10`` and ``help_latency_ms/DEVICE``, NaN
where nothing is measured. Latency is that of the architecture as drawn: an operation that does not
reach the output takes time too, so that inputs are the operations of the six edges and not the
canonical graph. ``new device`` are the six devices of HELP (Lee et al., arXiv:2106.08630) with the
other nine devices measured; all settings of a device are left out when it is the new one.
``one device`` uses labels of that device alone. Figures are Spearman's correlation over all
architectures without a label, over 20 draws.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Annotated, Any

import h5py
import numpy as np
import typer
from finished_runs import append_line, digest_of, finished_runs
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, WhiteKernel

from pyg_nas.io.files import write_text
from pyg_nas.predictors.cost.new_device import NewDeviceRegressor
from pyg_nas.spaces.nasbench201 import NASBENCH201

RESULT = Path(__file__).parent / "results" / "device_latency.json"
SIZES = (10, 20, 50, 200)
DRAWS = 20

NEW = ("titan_rtx_256", "gold_6226", "fpga", "pixel2", "raspi4", "eyeriss")
KNOWN = (
    *("1080ti_1", "1080ti_32", "1080ti_256", "silver_4114", "silver_4210r"),
    *("samsung_a50", "pixel3", "essential_ph_1", "samsung_s7"),
)
"""Devices of the published split."""

Floats = NDArray[np.float64]


def edge_inputs(operations: NDArray[Any]) -> Floats:
    """Return the one-hot operation of each edge and how often each occurs, ``[N, 35]``."""
    one_hot = np.eye(5)[operations]
    return np.column_stack([one_hot.reshape(len(operations), -1), one_hot.sum(axis=1)])


def without_noise(inputs: Floats, costs: Floats) -> Floats:
    """Return a ridge regression ``[N, D]`` on single operations and pairs of them."""
    one_hot = inputs[:, :30]
    first, second = np.triu_indices(30, 1)
    x = np.column_stack([one_hot, one_hot[:, first] * one_hot[:, second] / 2])
    x -= x.mean(axis=0)
    mean, deviation = costs.mean(axis=0), costs.std(axis=0)
    robust = np.clip(costs - mean, -4 * deviation, 4 * deviation)
    return mean + x @ np.linalg.solve(x.T @ x + 30 * np.eye(x.shape[1]), x.T @ robust)


def canonical_limit(operations: NDArray[Any], costs: Floats) -> float:
    """Return Spearman's correlation of the mean latency over architectures of one graph.

    No predictor of canonical graphs is better, up to the ranks of the means.
    """
    cells = NASBENCH201.support.edge_cells
    graph = cells.representatives[cells.codes(operations)]
    number = np.unique(graph, return_inverse=True)[1]
    means = np.bincount(number, costs) / np.bincount(number)
    return float(spearmanr(means[number], costs).statistic)


def device(setting: str) -> str:
    """Return the device of a setting: its name without the batch size."""
    name, _, batch = setting.rpartition("_")
    return name if batch in ("1", "32", "256") else setting


def one_device(inputs: Floats, rows: NDArray[np.int64], costs: Floats) -> Floats:
    """Return predictions ``[N]`` of a Gaussian process: mainly a sum over the operations."""
    scaled = (inputs - inputs.mean(axis=0)) / inputs.std(axis=0) / inputs.shape[1] ** 0.5
    kernel = (
        ConstantKernel(1.0) * DotProduct(1e-3, "fixed")
        + ConstantKernel(0.1) * RBF(1.0, "fixed")
        + WhiteKernel(1e-2, (1e-5, 1))
    )
    model = GaussianProcessRegressor(kernel, normalize_y=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return np.asarray(model.fit(scaled[rows], costs[rows]).predict(scaled))


def draws(total: int, size: int) -> list[NDArray[np.int64]]:
    return [np.random.default_rng(seed).permutation(total)[:size] for seed in range(DRAWS)]


def correlation(predicted: Floats, costs: Floats, rows: NDArray[np.int64]) -> float:
    rest = np.delete(np.arange(len(costs)), rows)
    return float(spearmanr(predicted[rest], costs[rest]).statistic)


def read(path: Path) -> tuple[NDArray[Any], dict[str, Floats]]:
    """Return operations ``[N, 6]`` and log latencies ``[N]`` by data set and device."""
    with h5py.File(path) as file:
        costs = {name: values[()] for name, values in file["help_latency_ms"].items()}
        group = file["hw_nas_bench/cifar10"]
        for column, name in enumerate(group.attrs["columns"]):
            if name.endswith("_latency"):
                costs[f"HW-NAS-Bench {name.removesuffix('_latency')}"] = group[:, column]
        measured = np.isfinite(np.stack(list(costs.values()))).all(axis=0)
        # -1 stands for architectures that the EdgeTPU did not run.
        logs = {
            name: np.log(np.where(values > 0, values, np.nan)[measured].astype(np.float64))
            for name, values in costs.items()
        }
        return file["operations"][()][measured], logs


def main(
    data: Annotated[Path, typer.Argument(help="HDF5 file of NAS-Bench-201.")],
    out: Annotated[Path, typer.Option(help="Result file.")] = RESULT,
) -> None:
    operations, costs = read(data)
    inputs = edge_inputs(operations)
    path = out.with_suffix(".jsonl")
    digest = digest_of(operations, *costs.values())
    done = finished_runs(path, digest)
    known = {(row["way"], row["device"], row["labels"]) for row in done}

    def note(way: str, name: str, size: int, found: list[float]) -> None:
        row = {"data": digest, "way": way, "device": name, "labels": size}
        row["mean"] = float(np.mean(found))
        done.append({**row, "std": float(np.std(found, ddof=1)), "least": float(min(found))})
        append_line(path, done[-1])

    sources_of_help = [name for name in costs if not name.startswith("HW")]
    sources = np.column_stack([costs[name] for name in KNOWN])
    model = NewDeviceRegressor().fit(
        inputs, sources, list(map(device, KNOWN)), without_noise(inputs, sources)
    )
    for size in SIZES:
        for name in NEW:
            if ("new device", name, size) not in known:
                target = costs[name]
                found = [
                    correlation(model.predict(rows, target[rows])[0], target, rows)
                    for rows in draws(len(target), size)
                ]
                note("new device", name, size, found)
        for name, target in costs.items():
            if ("one device", name, size) not in known:
                ran = np.isfinite(target)
                own, labels = inputs[ran], target[ran]
                found = [
                    correlation(one_device(own, rows, labels), labels, rows)
                    for rows in draws(len(labels), size)
                ]
                note("one device", name, size, found)
    result = {
        "architectures": len(operations),
        "draws": DRAWS,
        "known_devices": KNOWN,
        "limit_of_canonical_graphs": {
            name: canonical_limit(operations, costs[name]) for name in sources_of_help
        },
        "means": {
            f"{way}, {which}": {
                str(size): float(
                    np.mean(
                        [
                            row["mean"]
                            for row in done
                            if (row["way"], row["labels"]) == (way, size) and chosen(row["device"])
                        ]
                    )
                )
                for size in SIZES
            }
            for way, which, chosen in (
                ("new device", "six of HELP", lambda name: name in NEW),
                ("one device", "six of HELP", lambda name: name in NEW),
                ("one device", "27 of HELP", lambda name: not name.startswith("HW")),
                ("one device", "six of HW-NAS-Bench", lambda name: name.startswith("HW")),
            )
        },
        "rows": done,
    }
    write_text(out, json.dumps(result, indent=1) + "\n")
    print(json.dumps(result["means"], indent=1))


if __name__ == "__main__":
    typer.run(main)
