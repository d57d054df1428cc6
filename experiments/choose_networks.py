"""Which of 150 small networks should be trained: a search by graphs, beside sorting by size.

    python experiments/choose_networks.py

Networks for the digits of :mod:`pyg_nas.measure.tasks.digits` are drawn from one builder, and every
one is trained once; an interrupted call resumes. Then each way of choosing is replayed: it receives
the validation accuracy of 16, 26, ... 56 networks that it chose, and its answer is the best of
them. Answers are compared by their test accuracy.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from finished_runs import append_line
from scipy.stats import spearmanr
from torch import nn

from pyg_nas.data.networks.reading import read_networks
from pyg_nas.data.networks.sources import built_networks
from pyg_nas.data.networks.table import NetworkTable
from pyg_nas.io.files import write_text
from pyg_nas.measure.tasks.digits import digits_task
from pyg_nas.search.ask_tell import Search

RESULTS = Path(__file__).parent / "results"
RUNS, RESULT = RESULTS / "choose_networks.runs.jsonl", RESULTS / "choose_networks.json"
CANDIDATES = 150
FIRST, ROUND = 16, 10
BUDGETS = (16, 26, 36, 46, 56)
SEEDS = 10
EPOCHS, BATCH, NOISE = 8, 32, 0.6

CHOICES: dict[str, list[Any]] = {
    "width": [4, 6, 8, 12, 16, 24],
    "depth": [1, 2, 3, 4, 6],
    "kernel": [1, 3, 5],
    "act": ["ReLU", "SiLU", "Tanh", "Sigmoid"],
    "norm": [False, True],
    "residual": [False, True],
    "pool": ["none", "max", "avg"],
    "groups": [1, 2],
}


class Residual(nn.Module):
    """The sum of a layer and its input."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the sum."""
        return x + self.layer(x)


def build(
    width: int,
    depth: int,
    kernel: int,
    act: str,
    norm: bool,
    residual: bool,
    pool: str,
    groups: int,
) -> tuple[nn.Module, torch.Tensor]:
    """Return a network of digits and one image."""
    pools = {"max": nn.MaxPool2d(2), "avg": nn.AvgPool2d(2)}
    layers: list[nn.Module] = [nn.Conv2d(1, width, 3, padding=1)]
    for number in range(depth):
        parts: list[nn.Module] = [
            nn.Conv2d(width, width, kernel, padding=kernel // 2, groups=groups)
        ]
        parts += [nn.BatchNorm2d(width)] if norm else []
        parts.append(getattr(nn, act)())
        layer = nn.Sequential(*parts)
        layers.append(Residual(layer) if residual else layer)
        if pool != "none" and number in (0, 2):
            layers.append(pools[pool])
    head = [nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * width, 10)]
    return nn.Sequential(*layers, *head), torch.zeros(1, 1, 8, 8)


def configurations() -> list[dict[str, Any]]:
    """Return different configurations, drawn uniformly."""
    rng = np.random.default_rng(0)
    found: dict[str, dict[str, Any]] = {}
    while len(found) < CANDIDATES:
        drawn = {name: values[rng.integers(len(values))] for name, values in CHOICES.items()}
        found[json.dumps(drawn)] = drawn
    return list(found.values())


def trained(configuration: dict[str, Any], seed: int) -> tuple[float, float]:
    """Return validation and test accuracy of one run."""
    task = digits_task()
    torch.manual_seed(seed)
    network = build(**configuration)[0]
    images, labels = torch.from_numpy(task.train.images), torch.from_numpy(task.train.labels)
    scale = images.std()
    steps = EPOCHS * (len(images) // BATCH)
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(images)).split(BATCH):
            seen = images[rows] + NOISE * scale * torch.randn_like(images[rows])
            loss = nn.functional.cross_entropy(network(seen), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    network.eval()
    found = []
    with torch.no_grad():
        for part in (task.validation, task.test):
            guess = network(torch.from_numpy(part.images)).argmax(dim=1).numpy()
            found.append(float((guess == part.labels).mean()))
    return found[0], found[1]


def run_all(chosen: list[dict[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
    """Return validation and test accuracies ``[N]``; finished runs are kept."""
    lines = RUNS.read_text().splitlines() if RUNS.exists() else []
    known = {json.dumps(run["configuration"]): run for run in map(json.loads, lines)}
    for seed, configuration in enumerate(chosen):
        key = json.dumps(configuration)
        if key not in known:
            validation, test = trained(configuration, seed)
            known[key] = {"configuration": configuration, "validation": validation, "test": test}
            append_line(RUNS, known[key])
    runs = [known[json.dumps(configuration)] for configuration in chosen]
    return np.array([r["validation"] for r in runs]), np.array([r["test"] for r in runs])


def searched(table: NetworkTable, validation: np.ndarray, method: str, seed: int) -> list[int]:
    """Return the rows of a search in the order in which it proposed them."""
    search = Search(networks=table, method=method, n=FIRST, k=ROUND, seed=seed)
    row = {name: number for number, name in enumerate(table.names)}
    order: list[int] = []
    while len(order) < BUDGETS[-1]:
        for candidate in search.ask(FIRST if not order else ROUND):
            order.append(row[str(candidate.text)])
            search.tell(candidate.id, accuracy=float(validation[order[-1]]))
    return order


def main() -> None:
    """Train what is missing, replay the choices and write the result."""
    torch.set_num_threads(1)
    chosen = configurations()
    sources = built_networks(build, chosen)
    graphs = read_networks(sources)
    table = NetworkTable(graphs, [source.name for source in sources])
    _, first = np.unique(table.hashes, return_index=True)
    rows = np.sort(first)  # a bias before a batch normalisation and such make no other graph
    table = table.subset(rows)
    validation, test = run_all([chosen[row] for row in rows.tolist()])
    orders = {
        "sorted by parameters": [np.argsort(-table.networks.parameters, kind="stable").tolist()],
        "sorted by MACs": [np.argsort(-table.networks.macs, kind="stable").tolist()],
        "random": [searched(table, validation, "random", seed) for seed in range(SEEDS)],
        "search": [searched(table, validation, "predictor", seed) for seed in range(SEEDS)],
    }
    ranks = (-test).argsort().argsort() + 1
    ways = {}
    for name, several in orders.items():
        answers = np.array(
            [[order[:n][validation[order[:n]].argmax()] for n in BUDGETS] for order in several]
        )
        ways[name] = {
            "test_accuracy": test[answers].mean(axis=0).tolist(),
            "test_accuracy_std": test[answers].std(axis=0).tolist(),
            "validation_accuracy": validation[answers].mean(axis=0).tolist(),
            "rank_by_test": ranks[answers].mean(axis=0).tolist(),
        }
    result = {
        "candidates": len(table),
        "budgets": BUDGETS,
        "seeds": SEEDS,
        "best_validation": float(validation.max()),
        "best_test": float(test.max()),
        "test_of_best_validation": float(test[validation.argmax()]),
        "spearman_of_validation_and": {
            "parameters": float(spearmanr(table.networks.parameters, validation)[0]),
            "macs": float(spearmanr(table.networks.macs, validation)[0]),
            "test": float(spearmanr(test, validation)[0]),
        },
        "ways": ways,
    }
    write_text(RESULT, json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
