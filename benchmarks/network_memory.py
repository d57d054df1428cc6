"""Peak memory of training predictors on up to 10,000 networks of 500 vertices, each in a process.

    python -m benchmarks.network_memory

Networks are random: a chain of operations with further edges to a fifth of the vertices, and random
attributes. A process that only makes the networks is measured beside them. Time is not measured, so
that other programs may run.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch

from benchmarks.measurement import parsed, peak_memory, show, write_result
from pyg_nas.predictors.networks.gnn import NetworkGNNRegressor
from pyg_nas.predictors.networks.regressor import NetworkRegressor
from pyg_nas.spaces.modules.network_array import NetworkArray
from pyg_nas.spaces.modules.network_graph import ATTRIBUTES
from pyg_nas.spaces.modules.vocabulary import NUM_COLUMNS, TERMINALS

ALONE = "the networks alone"
PREDICTORS = {
    "sparse residual network, one epoch": lambda: NetworkGNNRegressor(epochs=1),
    "boosted trees": lambda: NetworkRegressor("boosted-trees"),
    "Gaussian process": lambda: NetworkRegressor("gp"),
}


def random_networks(count: int, vertices: int) -> NetworkArray:
    rng = np.random.default_rng(0)
    columns = rng.integers(len(TERMINALS), NUM_COLUMNS, size=(count, vertices), dtype=np.uint8)
    columns[:, 0], columns[:, -1] = TERMINALS.index("input"), TERMINALS.index("output")
    targets = np.arange(1, vertices)
    edges = []
    for _ in range(count):
        joined = targets[1:][rng.random(vertices - 2) < 0.2]
        extra = np.stack([(rng.random(len(joined)) * (joined - 1)).astype(np.int64), joined])
        both = np.concatenate([[targets - 1, targets], extra], axis=1)
        edges.append(both[:, np.lexsort(both)])
    sizes = [part.shape[1] for part in edges]
    return NetworkArray(
        columns.ravel(),
        rng.random((count * vertices, len(ATTRIBUTES)), dtype=np.float32),
        np.arange(count + 1, dtype=np.int64) * vertices,
        np.concatenate(edges, axis=1),
        np.concatenate([[0], np.cumsum(sizes)]),
        rng.integers(10**6, 10**8, size=count),
        rng.integers(10**8, 10**10, size=count),
        np.arange(count).astype("S64"),
    )


def train(name: str, count: int, vertices: int) -> None:
    """Fit in a process of its own, without a name only make the networks."""
    torch.set_num_threads(2)
    networks = random_networks(count, vertices)
    if name:
        PREDICTORS[name]().fit(networks, np.log(networks.macs))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--vertices", type=int, default=500)
    arguments = parsed(parser, networks=[1_000])
    vertices = arguments.vertices
    peaks = {
        count: {
            name or ALONE: peak_memory(train, name, count, vertices) for name in ("", *PREDICTORS)
        }
        for count in arguments.networks
    }
    result = {"vertices": vertices, "peak_bytes": peaks}
    write_result("network_memory", result, arguments.results)
    show(
        "Peak memory, GiB",
        ["", *(f"{count:,} networks" for count in peaks)],
        [
            [name, *(f"{peaks[count][name] / 2**30:.2f}" for count in peaks)]
            for name in (ALONE, *PREDICTORS)
        ],
    )


if __name__ == "__main__":
    main()
