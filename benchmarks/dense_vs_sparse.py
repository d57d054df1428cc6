"""Forward and training passes of one network by every backend, over batch sizes and widths, and,
with ``--vertices``, over the size of graphs from cells to whole networks.

``torch-scatter`` rows appear where it is installed. Every batch size and width is written as it
is done, and a stopped run with the same settings resumes. A batch's index structures (normalised
edges, CSR matrices, padded tensors) are made beforehand: the times are those of the network's
arithmetic. Over sizes, a batch has as many random graphs as make 16,384 vertices, with 1.2 edges
per vertex, as whole networks have.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric import EdgeIndex
from torch_geometric.data import Batch, Data
from torch_geometric.utils import to_dense_adj

from benchmarks.measurement import (
    IMAGES,
    clock,
    interleaved,
    parsed,
    peak_memory,
    show,
    write_result,
)
from pyg_nas.data.datasets.collate import collate_cells
from pyg_nas.data.datasets.loader import CollatedLoader
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.nn.conv import Propagation, normalize
from pyg_nas.nn.dense import DenseCells, DenseGCN, dense_cells, padded_cells
from pyg_nas.nn.gcn import GCN

# One step may use about this many numbers of activations; larger ones are left out, and said so.
MOST_NUMBERS = 65536 * 7 * 144

BY_BATCH, BY_VERTICES = "cells in a batch", "vertices of a graph"
SMALL = 7  # most vertices of a cell
VERTICES = 16_384  # of a batch of graphs of any size
COLUMNS = 5

PEAKS = "peak_bytes_of_a_training_step_above_an_idle_process"
COMPILED = ", compiled"

Forward = Callable[[GCN], Tensor]
Aggregate = Callable[[Tensor], Tensor]


def read_out(model: GCN, h: Tensor, batch: Tensor, size: int) -> Tensor:
    total = h.new_zeros(size, h.shape[1]).index_add_(0, batch, h)
    counts = torch.bincount(batch, minlength=size).unsqueeze(1)
    return model.output(model.head(total / counts)).squeeze(-1)


def by_aggregation(outward: Aggregate, inward: Aggregate, batch: Any, model: GCN) -> Tensor:
    h = batch.x
    for conv in model.convs:
        one = (outward(h) @ conv.weight_out).relu()
        other = (inward(h) @ conv.weight_in).relu()
        h = 0.5 * (one + other)
    return read_out(model, h, batch.batch, batch.num_graphs)


def message_passing(batch: Any, model: GCN) -> Tensor:
    return model(batch.x, batch.edge_index, batch.batch, batch.num_graphs)


def dense_pass(dense: Any, model: GCN) -> Tensor:
    return model.get_submodule("dense")(dense)[0]


def sorted_rows(index: Tensor, weight: Tensor, nodes: int) -> tuple[Tensor, Tensor, Tensor]:
    """Row pointers, sources and weights of (from, to) edges, by target."""
    order = index[1].argsort(stable=True)
    counts = torch.bincount(index[1], minlength=nodes)
    pointers = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    return pointers, index[0][order], weight[order]


def csr(index: Tensor, weight: Tensor, nodes: int) -> Tensor:
    return torch.sparse_csr_tensor(*sorted_rows(index, weight, nodes), size=(nodes, nodes))


def edge_index(index: Tensor, weight: Tensor, nodes: int) -> Aggregate:
    order = index[1].argsort(stable=True)
    edges = EdgeIndex(index[:, order].flip(0), sparse_size=(nodes, nodes), sort_order="row")
    ordered = weight[order]
    return lambda h: edges.matmul(h, ordered)


def scatter_with(index: Tensor, weight: Tensor, nodes: int) -> Aggregate:
    import torch_scatter

    source, target = index
    scale = weight.unsqueeze(1)
    return lambda h: torch_scatter.scatter(h[source] * scale, target, 0, dim_size=nodes)


def segments_with(index: Tensor, weight: Tensor, nodes: int) -> Aggregate:
    import torch_scatter

    pointers, source, ordered = sorted_rows(index, weight, nodes)
    scale = ordered.unsqueeze(1)
    return lambda h: torch_scatter.segment_csr(h[source] * scale, pointers)


def backends(size: int, device: str, vertices: int | None = None) -> dict[str, Forward]:
    if vertices is None:
        cells = sample_cells(size, seed=0)
        batch = next(iter(CollatedLoader(collate_cells(cells), size))).to(device)
        dense = dense_cells(cells).to(device)
    else:
        batch, dense = (made.to(device) for made in random_graphs(size, vertices))
    p: Propagation = normalize(batch.edge_index, batch.num_nodes)

    def both(make: Callable[[Tensor, Tensor, int], Aggregate]) -> Forward:
        outward = make(p.outward_index, p.outward_weight, batch.num_nodes)
        inward = make(p.inward_index, p.inward_weight, batch.num_nodes)
        return partial(by_aggregation, outward, inward, batch)

    def matrix(index: Tensor, weight: Tensor, nodes: int) -> Aggregate:
        return partial(torch.matmul, csr(index, weight, nodes))

    made = {
        "dense": partial(dense_pass, dense),
        "message passing": partial(message_passing, batch),
        "torch.sparse CSR": both(matrix),
        "EdgeIndex": both(edge_index),
    }
    try:
        import torch_scatter  # noqa: F401
    except ImportError:
        return made
    return {
        **made,
        "torch-scatter scatter": both(scatter_with),
        "torch-scatter segment_csr": both(segments_with),
    }


def random_graphs(size: int, vertices: int) -> tuple[Batch, DenseCells]:
    """A chain with further edges from earlier vertices to a fifth of them; the same twice."""
    rng = np.random.default_rng(0)
    graphs = []
    for _ in range(size):
        targets = np.arange(1, vertices)
        joined = targets[rng.random(len(targets)) < 0.2]
        extra = np.stack([rng.integers(0, joined), joined])
        edges = np.unique(np.concatenate([[targets - 1, targets], extra], axis=1), axis=1)
        x = np.eye(COLUMNS, dtype=np.float32)[rng.integers(COLUMNS, size=vertices)]
        graphs.append(Data(x=torch.from_numpy(x), edge_index=torch.from_numpy(edges)))
    batch = Batch.from_data_list(graphs)
    adjacency = to_dense_adj(batch.edge_index, batch.batch)
    columns = batch.x.argmax(1).view(size, vertices)
    return batch, padded_cells(adjacency, columns, torch.ones(size, vertices), COLUMNS)


def network(width: int, device: str) -> GCN:
    torch.manual_seed(0)
    model = GCN(COLUMNS, width, dropout=0.0)
    model.add_module("dense", DenseGCN([model]))  # the same weights, copied
    return model.to(device)


@torch.no_grad()
def forward(run: Forward, model: GCN) -> None:
    run(model)


def train_step(run: Forward, model: GCN) -> None:
    model.zero_grad()
    run(model).square().mean().backward()


def runs_without_error(run: Forward, model: GCN) -> bool:
    try:
        run(model)
    except RuntimeError:
        return False
    return True


def trainable(run: Forward, model: GCN) -> bool:
    """Return whether the weights have gradients after a step of training."""
    model.zero_grad()
    try:
        train_step(run, model)
    except (RuntimeError, NotImplementedError):
        return False
    return any(weight.grad is not None for weight in model.parameters())


def peak_of(backend: str, size: int, width: int, device: str) -> None:
    torch.set_num_threads(1)
    if backend:
        train_step(backends(size, device)[backend], network(width, device))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, nargs="+", default=[16, 256, 4096, 65536])
    parser.add_argument("--vertices", type=int, nargs="+", help="instead of --batches: 7 to 2000")
    parser.add_argument("--widths", type=int, nargs="+", default=[48, 144, 320])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--compile", action="store_true", help="measure torch.compile as well")
    parser.add_argument("--memory", action="store_true", help="measure peak memory as well")
    arguments = parsed(parser, batches=[256], widths=[144], repeats=3)
    torch.set_num_threads(arguments.threads)
    warnings.filterwarnings("ignore", message=".*[Ss]parse", category=UserWarning)
    # What torch.compile cannot do is in the result; its log repeats it a hundred lines at a time.
    logging.getLogger("torch").setLevel(logging.CRITICAL)

    head = {
        "device": arguments.device,
        "repeats": arguments.repeats,
        "compiled": arguments.compile,
        "threads": arguments.threads,
    }
    axis = "_vertices" if arguments.vertices else ""
    name = f"dense_vs_sparse{axis}_{arguments.device.split(':')[0]}"
    if arguments.vertices:
        sizes = [(max(1, VERTICES // vertices), vertices) for vertices in arguments.vertices]
    else:
        sizes = [(size, None) for size in arguments.batches]
    rows, memory, left_out = stored(arguments.results, name, head)
    done = {(row["batch"], row["width"]) for row in rows}
    for size, vertices in sizes:
        widths = [width for width in arguments.widths if (size, width) not in done]
        runs = backends(size, arguments.device, vertices) if widths else {}
        for width in widths:
            measured, without = configuration(runs, size, width, arguments)
            measured = [{**row, "vertices": vertices or SMALL} for row in measured]
            rows, left_out = rows + measured, left_out + without
            write(arguments.results, name, head, rows, memory, left_out)
    if arguments.memory and not memory and not arguments.vertices:
        size, width = min(4096, max(arguments.batches)), 144
        empty = peak_memory(peak_of, "", size, width, arguments.device)
        for backend in backends(size, arguments.device):
            peak = peak_memory(peak_of, backend, size, width, arguments.device)
            memory[backend] = peak - empty
    write(arguments.results, name, head, rows, memory, left_out)
    report(rows, memory)
    if not arguments.short:
        plot(rows, name, BY_VERTICES if arguments.vertices else BY_BATCH)


def stored(
    folder: Path | None, name: str, head: dict[str, Any]
) -> tuple[list[dict[str, Any]], dict[str, int], list[str]]:
    """Return what a run with the same settings has measured, so that a stopped one resumes."""
    path = folder / f"{name}.json" if folder else None
    found = json.loads(path.read_text()) if path and path.exists() else {}
    same = {key: found.get(key) for key in head} == head
    return (found["rows"], found[PEAKS], found["left_out"]) if same else ([], {}, [])


def write(
    folder: Path | None,
    name: str,
    head: dict[str, Any],
    rows: list[dict[str, Any]],
    memory: dict[str, int],
    left_out: list[str],
) -> None:
    write_result(
        name,
        {
            **head,
            "rows": rows,
            PEAKS: memory,
            "left_out": sorted(set(left_out)),
        },
        folder,
    )


def configuration(
    runs: dict[str, Forward], size: int, width: int, arguments: argparse.Namespace
) -> tuple[list[dict[str, Any]], list[str]]:
    """Measure all backends at one batch size and width; return rows and what was left out."""
    torch.compiler.reset()
    model = network(width, arguments.device)
    reference = runs["dense"](model).detach()
    where, left_out = f"at batch {size}, width {width}", []
    forwards = dict(runs)
    if arguments.compile:
        for name, run in runs.items():
            compiled = torch.compile(run, dynamic=False)
            if runs_without_error(compiled, model):
                forwards[name + COMPILED] = compiled
            else:
                left_out.append(f"{name}{COMPILED}, {where}: torch.compile fails")
    for name, run in forwards.items():
        difference = float((run(model).detach() - reference).abs().max())
        if not difference < 1e-5:
            raise SystemExit(f"{name} differs from the dense pass by {difference}")
    trained = {}
    if size * SMALL * width > MOST_NUMBERS:
        left_out.append(f"training {where}: memory")
    else:
        trained = {n: r for n, r in forwards.items() if trainable(r, model)}
        left_out += [f"training by {n} {where}: no gradient" for n in forwards if n not in trained]
    rows = []
    for kind, step, contenders in (
        ("forward", forward, forwards),
        ("training", train_step, trained),
    ):
        if not contenders:
            continue
        seconds = interleaved(
            {n: partial(step, r, model) for n, r in contenders.items()}, arguments.repeats
        )
        rows += [
            {
                "pass": kind,
                "batch": size,
                "width": width,
                "backend": name,
                "cells_per_second": size / value,
                "relative_to_dense": seconds["dense"] / value,
            }
            for name, value in seconds.items()
        ]
    return rows, left_out


def report(rows: list[dict[str, Any]], memory: dict[str, int]) -> None:
    names = list(dict.fromkeys(row["backend"] for row in rows))
    sizes = sorted({row["batch"] for row in rows})
    found = {(r["pass"], r["width"], r["batch"], r["backend"]): r for r in rows}
    for kind, width in sorted({key[:2] for key in found}):
        lines = []
        for name in names:
            cells = [found.get((kind, width, size, name)) for size in sizes]
            figures = [f"{c['cells_per_second'] / 1e3:.1f}" if c else "–" for c in cells]
            lines.append([name, *figures])
        show(
            f"Thousand graphs/s, {kind}, width {width} ({clock()})",
            ["graphs in a batch", *(f"{size:,}" for size in sizes)],
            lines,
        )
    if memory:
        show(
            "Peak memory of a training step, MiB",
            ["backend", "MiB"],
            [[name, f"{value / 2**20:.0f}"] for name, value in memory.items()],
        )


def plot(rows: list[dict[str, Any]], file: str, horizontal: str) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    widths = sorted({row["width"] for row in rows})
    figure, axes = plt.subplots(
        2,
        len(widths),
        figsize=(3.6 * len(widths), 7),
        sharex=True,
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    names = list(dict.fromkeys(row["backend"] for row in rows))
    plain = [name for name in names if not name.endswith(COMPILED)]
    for line, kind in enumerate(("forward", "training")):
        for column, width in enumerate(widths):
            axis = axes[line, column]
            for name in names:
                points = [
                    (
                        row["batch" if horizontal == BY_BATCH else "vertices"],
                        row["relative_to_dense"],
                    )
                    for row in rows
                    if (row["pass"], row["width"], row["backend"]) == (kind, width, name)
                ]
                if points:
                    colour = f"C{plain.index(name.removesuffix(COMPILED))}"
                    style = "--" if name.endswith(COMPILED) else "-"
                    axis.plot(
                        *np.array(sorted(points)).T, style, color=colour, marker=".", label=name
                    )
            axis.set(xscale="log", yscale="log", title=f"{kind}, width {width}")
            if horizontal == BY_BATCH:
                axis.set_yticks([0.5, 1, 2], ["0.5", "1", "2"])
                axis.minorticks_off()
            axis.grid(alpha=0.3)
            if column == 0:
                axis.set_ylabel("graphs/s relative to dense")
            if line == 1:
                axis.set_xlabel(horizontal)
    figure.legend(
        *axes[0, 0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=min(4, 2 * len(widths)),
    )
    IMAGES.mkdir(parents=True, exist_ok=True)
    figure.savefig(IMAGES / f"{file}.png", dpi=120)


if __name__ == "__main__":
    main()
