"""Throughput of timm's architectures on devices, predicted for families that were never measured.

    pip install -c constraints.txt timm torchvision
    python experiments/latency.py table timm_results.csv timm.hdf5
    python experiments/latency.py evaluate timm.hdf5
    python experiments/latency.py train timm.hdf5 SETTING MODEL
    python experiments/latency.py predict MODEL resnet50 convnext_tiny@288

The CSV file has the columns ``setting`` (device and software, or ``imagenet`` for top-1 accuracy),
``model``, ``img_size``, ``batch_size`` and ``value`` (images per second, or percent). The table has
a graph of each architecture at each image size, with one image per batch, and the seconds per image
of each setting. A family is an architecture's name before its first ``_`` or ``.``, without
trailing digits.

``evaluate`` leaves families out in ten parts: none of a family's numbers in any setting is used for
its predictions. Times of operations on a CPU are learned together with those in the other settings
of CPUs. They were developed by the same kind of cross validation on families whose names have an
even CRC-32, so that figures of all families are somewhat optimistic there; "untouched families" are
the others. The rest of the recipe was chosen earlier on up to 476 networks of both halves in the
settings of the RTX 5090 and the i7. A new device is predicted from ten of its own measurements,
where no other setting of the device is known: ten random ones of all, or ten that are chosen by
design from a random half, without any cost on the new device, 100 draws each.
"""

from __future__ import annotations

import csv
import json
import zlib
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from finished_runs import append_line, digest_of, finished_runs
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.ensemble import HistGradientBoostingRegressor
from timm_graphs import import_timm

from pyg_nas.data.networks.table import NetworkTable
from pyg_nas.errors import NetworkError
from pyg_nas.features.network_costs import network_cost_names, network_costs
from pyg_nas.io.files import write_text
from pyg_nas.predictors.cost.latency import LatencyRegressor
from pyg_nas.predictors.cost.new_device import NewDeviceRegressor
from pyg_nas.predictors.networks.regressor import NetworkRegressor
from pyg_nas.predictors.storage.folder import load_model, save_model
from pyg_nas.spaces.modules.network_array import NetworkArray
from pyg_nas.spaces.modules.network_graph import NetworkGraph
from pyg_nas.spaces.modules.trace import graph_of

RESULT = Path(__file__).parent / "results" / "latency.json"
ACCURACY = "imagenet"
ACTIVATIONS = "million activations"
UNSEEN_FAMILIES = (
    "amp-nchw-pt291-cu130-5090",
    "amp-nchw-pt291-cu130-5090-dynamo",
    "fp32-nchw-pt240-cpu-i7_12700h-dynamo",
    "fp32-nchw-pt240-cpu-i9_10940x-dynamo",
)
FOLDS = 10
DRAWS = 100
MEASURED = 10
PART = 100

Floats = NDArray[np.float64]
app = typer.Typer(help=__doc__.splitlines()[0])


def family(name: str) -> str:
    """Return the family of an architecture, or of NAME@PIXELS."""
    return name.partition("@")[0].split("_")[0].split(".")[0].rstrip("0123456789")


def untagged(name: str) -> str:
    """Return NAME@PIXELS of NAME.WEIGHTS@PIXELS."""
    return name.split(".")[0].partition("@")[0] + "@" + name.rpartition("@")[2]


def device(setting: str) -> str | None:
    """Return the device of a setting; None if it is not a throughput."""
    names = ("3090", "4090", "5090", "pro6000", "i7_12700h", "i9_10940x")
    return next((name for name in names if name in setting), None)


def compiled(setting: str) -> bool:
    """Return whether the networks of a setting were compiled."""
    return "-dynamo" in setting


def elsewhere(part: NetworkTable, setting: str) -> Floats:
    """Return the seconds of ``N`` networks in other settings of CPUs, for one of them ``[N, S]``.

    Some are NaN. For a GPU there are none.
    """
    cpus = [s for s in part.targets if "-cpu-" in s and not s.endswith(" batch")]
    others = [s for s in cpus if s != setting] if setting in cpus else []
    return np.array([part.targets[s] for s in others]).reshape(-1, len(part)).T


def graph(timm: Any, name: str, size: int) -> NetworkGraph:
    """Return the graph of an architecture for one image; some are built for their image size."""
    images = torch.empty(1, 3, size, size, device="meta")
    failure: Exception | None = None
    for settings in ({}, {"img_size": size}):
        try:
            with torch.device("meta"):
                module = timm.create_model(name.split(".")[0], **settings).eval()
            return graph_of(module, images)
        except (NetworkError, RuntimeError, TypeError) as error:
            failure = error
    raise NetworkError(f"{name} at {size} pixels: {failure}")


@app.command()
def table(
    results: Annotated[Path, typer.Argument(help="CSV file of timm's results.")],
    out: Annotated[Path, typer.Argument(help="Table of networks to write.")],
) -> None:
    """Trace all architectures of a CSV file into a table; a stopped call resumes.

    Each part of :data:`PART` architectures is a table beside ``out``, which is removed at the end.
    """
    timm = import_timm()
    values: dict[str, dict[str, float]] = defaultdict(dict)
    activations: dict[str, float] = {}
    with results.open(newline="") as file:
        for row in csv.DictReader(file):
            if row["value"] and row["img_size"] and float(row["value"]) > 0:
                number = float(row["value"])
                name = f"{row['model']}@{float(row['img_size']):.0f}"
                values[name][row["setting"]] = (
                    number / 100 if row["setting"] == ACCURACY else 1 / number
                )
                if row["batch_size"]:
                    values[name][f"{row['setting']} batch"] = float(row["batch_size"])
                if row["mactivations"]:
                    activations[untagged(name)] = float(row["mactivations"])
    for name, found in values.items():  # rows of accuracies have weights' names, and no activations
        if untagged(name) in activations:
            found[ACTIVATIONS] = activations[untagged(name)]
    everything = list(values)
    paths = {}
    for start in range(0, len(everything), PART):
        paths[start] = out.with_suffix(f".{start}.part.hdf5")
        if not paths[start].exists():
            traced(timm, everything[start : start + PART]).save(paths[start])
    parts = [NetworkTable.load(path) for path in paths.values()]
    networks = NetworkArray.join([part.networks for part in parts])
    names = [name for part in parts for name in part.names]
    left_out = {name: why for part in parts for name, why in part.about["left_out"].items()}
    settings = sorted({setting for name in names for setting in values[name]})
    targets = {s: [values[name].get(s, np.nan) for name in names] for s in settings}
    about = {"timm": timm.__version__, "left_out": left_out, "unit": "seconds an image"}
    NetworkTable(networks, names, targets, about).save(out)
    for path in paths.values():
        path.unlink()
    print(f"{len(networks)} graphs, {len(left_out)} left out")


def traced(timm: Any, names: list[str]) -> NetworkTable:
    """Return the graphs of architectures, NAME@PIXELS, and why others have none."""
    graphs, left_out = {}, {}
    for name in names:
        model, _, size = name.rpartition("@")
        try:
            graphs[name] = graph(timm, model, int(size))
        except Exception as error:  # an architecture of another version of timm, say
            left_out[name] = str(error)[:200]
    about = {"left_out": left_out}
    return NetworkTable(NetworkArray.from_graphs(graphs.values()), list(graphs), about=about)


def folds(families: NDArray[np.str_]) -> NDArray[np.int64]:
    """Return the part of each row ``[N]``; a family is in one part."""
    number = np.unique(families, return_inverse=True)[1]
    order = np.random.default_rng(0).permutation(number.max() + 1)
    return np.asarray(order[number] % FOLDS)


def untouched(families: NDArray[np.str_]) -> NDArray[np.bool_]:
    """Return which families ``[N]`` nothing was developed on."""
    return np.array([zlib.crc32(name.encode()) % 2 == 1 for name in families])


def measured(known: NetworkTable, setting: str) -> tuple[NetworkTable, Floats, NDArray[np.str_]]:
    """Return the networks with a number in a setting, the numbers and the families."""
    values = known.targets[setting]
    rows = np.flatnonzero(np.isfinite(values))
    part = known.subset(rows)
    return part, values[rows], np.array([family(name) for name in part.names])


def totals(networks: NetworkArray) -> Floats:
    """Return the logarithms of parameters, multiply-accumulates and bytes, ``[N, 3]``."""
    costs = network_costs(networks)
    moved = [i for i, name in enumerate(network_cost_names()) if name.startswith("bytes")]
    return np.log1p(
        np.column_stack([networks.parameters, networks.macs, costs[:, moved].sum(axis=1)])
    )


def errors(predicted: Floats, seconds: Floats) -> dict[str, float]:
    """Return absolute errors relative to the measured throughput."""
    relative = np.abs(seconds / predicted - 1)
    return {"mape": float(relative.mean()), "median": float(np.median(relative))}


def unseen_families(known: NetworkTable, setting: str) -> dict[str, Any]:
    """Leave families out; return the errors of the recipe and of trees on totals."""
    part, seconds, families = measured(known, setting)
    fold = folds(families)
    recipe, trees, inside = np.empty(len(part)), np.empty(len(part)), np.empty(len(part))
    inputs = totals(part.networks)
    others = elsewhere(part, setting)
    unchanged = untouched(families)
    for left_out in range(FOLDS):
        rest, unseen = np.flatnonzero(fold != left_out), np.flatnonzero(fold == left_out)
        model = LatencyRegressor(compiled=compiled(setting)).fit(
            part.networks.select(rest), seconds[rest], families[rest], others[rest]
        )
        networks = part.networks.select(unseen)
        recipe[unseen] = model.predict(networks)
        low, high = model.predict_interval(networks, coverage=0.9)
        inside[unseen] = (low <= seconds[unseen]) & (seconds[unseen] <= high)
        plain = HistGradientBoostingRegressor(
            max_iter=300, learning_rate=0.05, max_leaf_nodes=8, min_samples_leaf=5, random_state=0
        )
        plain.fit(inputs[rest], np.log(seconds[rest]))
        trees[unseen] = np.exp(plain.predict(inputs[unseen]))
    return {
        "networks": len(part),
        "families": len(set(families)),
        "latency": errors(recipe, seconds),
        "latency, untouched families": errors(recipe[unchanged], seconds[unchanged]),
        "trees on totals": errors(trees, seconds),
        "intervals_of_90_percent_hold": float(inside.mean()),
        "intervals_hold, untouched families": float(inside[unchanged].mean()),
    }


def new_device(known: NetworkTable, name: str, others: Callable[[str], bool]) -> dict[str, Any]:
    """Predict all settings of a device from ten measurements in each, random or designed ones."""
    settings = [s for s in known.targets if device(s) and not s.endswith(" batch")]
    sources = [s for s in settings if device(s) != name and others(s)]
    everything = np.log(np.column_stack([known.targets[s] for s in sources]))
    found = {}
    for setting in settings:
        if device(setting) != name:
            continue
        target = np.log(known.targets[setting])
        rows = np.flatnonzero(np.isfinite(target) & np.isfinite(everything).all(axis=1))
        target = target[rows]
        part = known.subset(rows)
        costs = network_costs(part.networks)
        total = costs[:, [network_cost_names().index("roofline at 16")]]
        inputs = np.column_stack([np.log(costs / total + 1e-3), np.log(total)])
        model = NewDeviceRegressor(MEASURED).fit(
            inputs, everything[rows], [device(source) for source in sources]
        )
        unchanged = untouched(np.array([family(name) for name in part.names]))
        random, designed = [], []
        for draw in range(DRAWS):
            order = np.random.default_rng(draw).permutation(len(rows))
            candidates = order[: len(order) // 2]
            for tried, relative in (
                (order[:MEASURED], random),
                (model.design(MEASURED, candidates), designed),
            ):
                missed = np.abs(np.exp(target - model.predict(tried, target[tried])[0]) - 1)
                missed[tried] = np.nan
                relative.append([np.nanmean(missed), np.nanmean(missed[unchanged])])
        found[setting] = {"networks": len(rows)}
        for way, relative in (("random", random), ("designed", designed)):
            mean, deviation = np.mean(relative, axis=0), np.std(relative, axis=0, ddof=1)
            found[setting][way] = {
                "mape": float(mean[0]),
                "std_of_draws": float(deviation[0]),
                "mape, untouched families": float(mean[1]),
            }
    return found


def accuracies(known: NetworkTable) -> dict[str, Any]:
    """Leave families out; return rank correlations with ImageNet accuracy."""
    part, accuracy, families = measured(known, ACCURACY)
    fold = folds(families)
    predicted = np.empty(len(part))
    for left_out in range(FOLDS):
        rest, unseen = np.flatnonzero(fold != left_out), np.flatnonzero(fold == left_out)
        model = NetworkRegressor().fit(part.networks.select(rest), accuracy[rest])
        predicted[unseen] = model.predict(part.networks.select(unseen))
    given = {
        "networks": predicted,
        "activations": part.targets[ACTIVATIONS],
        "macs": part.networks.macs,
    }
    return {
        "networks": len(part),
        "spearman": {n: float(spearmanr(v, accuracy).statistic) for n, v in given.items()},
    }


@app.command()
def evaluate(
    known: Annotated[Path, typer.Argument(help="Table of networks.")],
    out: Annotated[Path, typer.Option(help="Result file.")] = RESULT,
) -> None:
    """Write the result file; finished parts are kept as they come and not repeated."""
    opened = NetworkTable.load(known)
    path = out.with_suffix(".jsonl")
    data = digest_of(opened.hashes, *opened.targets.values())
    done = {run["job"]: run["found"] for run in finished_runs(path, data)}
    jobs: dict[str, Callable[[], Any]] = {
        f"unseen families, {setting}": lambda s=setting: unseen_families(opened, s)
        for setting in UNSEEN_FAMILIES
    }
    for name in ("5090", "pro6000", "4090", "3090"):
        jobs[f"new device, {name}"] = lambda n=name: new_device(opened, n, lambda s: True)
    for name in ("i7_12700h", "i9_10940x"):
        jobs[f"new device, {name}"] = lambda n=name: new_device(opened, n, lambda s: True)
        jobs[f"new device, {name}, from GPUs alone"] = lambda n=name: new_device(
            opened, n, lambda s: "cpu" not in s
        )
    jobs["accuracy, unseen families"] = lambda: accuracies(opened)
    for name, job in jobs.items():
        if name not in done:
            done[name] = job()
            append_line(path, {"data": data, "job": name, "found": done[name]})
            print(name, json.dumps(done[name]), flush=True)
    about = {"graphs": len(opened), **opened.about}
    results = {name: done[name] for name in jobs}  # in this order, whichever was finished first
    write_text(out, json.dumps({**about, **results}, indent=1) + "\n")


@app.command()
def train(known: Path, setting: str, model: Path) -> None:
    """Train the recipe on all families of a setting."""
    part, seconds, families = measured(NetworkTable.load(known), setting)
    others = elsewhere(part, setting)
    save_model(
        LatencyRegressor(compiled=compiled(setting)).fit(part.networks, seconds, families, others),
        model,
    )
    print(f"{setting}: trained on {len(part)} networks of {len(set(families))} families")


@app.command()
def predict(model: Path, names: list[str]) -> None:
    """Print images per second of architectures, NAME or NAME@PIXELS, with their 90 % interval."""
    timm, fitted = import_timm(), load_model(model)
    graphs = []
    for text in names:
        name, _, size = text.partition("@")
        known = timm.get_pretrained_cfg(name.split(".")[0], allow_unregistered=True)
        graphs.append(graph(timm, name, int(size) if size else known.input_size[-1]))
    low, high = fitted.predict_interval(graphs, coverage=0.9)
    for name, seconds, least, most in zip(names, fitted.predict(graphs), low, high, strict=True):
        print(f"{name}: {1 / seconds:,.1f} images/s, {1 / most:,.1f} to {1 / least:,.1f}")


if __name__ == "__main__":
    app()
