"""Score streams of 10^5 to 10^8 cells: time, peak memory, and a calculation for 10^10.

Each length is a process of its own that draws cells of NAS-Bench-101 in random order, scores them
by the paper's network of width 144 and keeps the best. Drawings repeat after 423,624 cells; one
that comes again is looked up. Random cells of 8 vertices hardly repeat: all are scored, and share
terms within a block only. The first length is read from graph files too, and scored from memory,
without a stream.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from benchmarks.measurement import parsed, peak_memory, show, write_result
from pyg_nas.engine.shared_terms import BLOCK_CELLS
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.predictors.gnn.gcn import GCNRegressor
from pyg_nas.scoring import (
    ScoringTask,
    block_size,
    generator_blocks,
    open_blocks,
    score_stream,
)
from pyg_nas.spaces.nasbench101 import NASBENCH101, NUM_NASBENCH101_CELLS, nasbench101_cells

LENGTHS = (10**5, 10**6, 10**7, 10**8)
LARGER = replace(NASBENCH101, name="larger", max_vertices=8, max_edges=11)
FAR = 10**10
LARGER_CELLS = 10**6
TOP = 1_000


def draws(length: int) -> Iterator[CellArray]:
    """Yield ``length`` cells in random order, all of the space before one comes again."""
    cells = nasbench101_cells()
    rng = np.random.default_rng(0)
    left = length
    while left:
        order = rng.permutation(len(cells))[:left]
        for start in range(0, len(order), BLOCK_CELLS):
            yield cells[order[start : start + BLOCK_CELLS]]
        left -= len(order)


def larger_cells(length: int) -> Iterator[CellArray]:
    """Yield ``length`` random cells of 8 vertices and 7 to 11 edges, which hardly repeat."""
    rng = np.random.default_rng(0)
    size, count = LARGER.max_vertices, BLOCK_CELLS
    rows = np.arange(count)
    left = length
    while left:
        adjacency = np.zeros((count, size, size), dtype=np.int8)
        for vertex in range(1, size):
            adjacency[rows, rng.integers(0, vertex, count), vertex] = 1
        for vertex in range(size - 1):
            left_by_none = ~adjacency[:, vertex].any(axis=1)
            target = rng.integers(vertex + 1, size, count)
            adjacency[rows[left_by_none], vertex, target[left_by_none]] = 1
        for _ in range(2):
            ends = np.sort(rng.permuted(np.tile(np.arange(size), (count, 1)), axis=1)[:, :2])
            adjacency[rows, ends[:, 0], ends[:, 1]] = 1
        adjacency = adjacency[adjacency.sum(axis=(1, 2)) <= LARGER.max_edges][:left]
        operations = rng.integers(0, 3, (len(adjacency), size)).astype(np.int8)
        operations[:, 0], operations[:, -1] = LARGER.input_id, LARGER.output_id
        yield CellArray(adjacency, operations, np.full(len(adjacency), size, np.int8), LARGER)
        left -= len(adjacency)


def write_jsonl(path: Path, length: int) -> None:
    """Write a JSON Lines file of the same cells."""
    with path.open("w") as file:
        for cells in draws(length):
            for cell in cells:
                record = {"ops": cell.operations, "edges": cell.edge_index.T.tolist()}
                file.write(json.dumps(record) + "\n")


def write_arrow(path: Path, length: int) -> None:
    """Write an Arrow file of the same cells."""
    import pyarrow as pa

    names = [NASBENCH101.decode([i])[0] for i in range(NASBENCH101.first_id, 3)]
    kinds = pa.dictionary(pa.int8(), pa.string())
    schema = pa.schema({"ops": pa.list_(kinds), "edges": pa.list_(pa.list_(pa.int8(), 2))})
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, schema) as writer:
        for cells in draws(length):
            graphs = cells.ragged
            ids = (graphs.operations - NASBENCH101.first_id).astype(np.int8)
            ops = pa.DictionaryArray.from_arrays(ids, pa.array(names))
            ends = pa.FixedSizeListArray.from_arrays(graphs.edges.T.astype(np.int8).ravel(), 2)
            columns = [
                pa.ListArray.from_arrays(ptr.astype(np.int32), values)
                for ptr, values in ((graphs.vertex_ptr, ops), (graphs.edge_ptr, ends))
            ]
            writer.write_batch(pa.record_batch(columns, schema=schema))


def run(length: int, source: str, seconds_file: str) -> None:
    """Score a stream in this process and write the seconds that it took.

    Args:
        length: Cells.
        source: A graph file, ``"arrays"`` for a generator, ``"larger"`` for one of cells that do
            not repeat, ``"memory"`` for no stream at all.
        seconds_file: Where the seconds go.
    """
    torch.manual_seed(0)
    cells = nasbench101_cells()[:200]
    labels = cells.trainable_parameters() / 5e7
    estimator = GCNRegressor(hidden=144, epochs=1).fit(cells, labels)
    estimator.predict(nasbench101_cells()[:8_192])  # loads compiled code, which is not timed
    parts = {"memory": draws, "larger": larger_cells}.get(source)
    made = list(parts(length)) if parts else []  # which is not timed
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        if source == "memory":
            for part in made:
                estimator.predict(part)
        else:
            size = block_size(estimator)
            generators = {"arrays": lambda: draws(length), "larger": lambda: made}
            blocks = (
                generator_blocks(generators[source], NASBENCH101, size)
                if source in generators
                else open_blocks(source, NASBENCH101, size)
            )
            score_stream(ScoringTask(estimator, top=TOP), blocks, Path(folder) / "best.csv")
        Path(seconds_file).write_text(repr(time.perf_counter() - start))


def measured(length: int, source: str) -> dict[str, float]:
    """Return seconds, cells per second and peak memory of a process that scores a stream."""
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "seconds")
        peak = peak_memory(run, length, source, file)
        seconds = float(Path(file).read_text())
    return {"seconds": seconds, "cells_per_second": length / seconds, "peak_bytes": peak}


def by_source(length: int) -> dict[str, dict[str, float]]:
    """Return what :func:`measured` does of each kind of source of the same cells."""
    with tempfile.TemporaryDirectory() as folder:
        arrow, lines = Path(folder) / "cells.arrow", Path(folder) / "cells.jsonl"
        write_arrow(arrow, length)
        write_jsonl(lines, length)
        sources = {"memory": "memory", "arrays": "arrays", "Arrow": arrow, "JSON Lines": lines}
        return {name: measured(length, str(source)) for name, source in sources.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--longest", type=int, default=10**7, help="the longest stream")
    arguments = parsed(parser, longest=10**6)
    found: dict[int, dict[str, float]] = {}
    for length in LENGTHS:
        if length > arguments.longest:
            break
        found[length] = measured(length, "arrays")
    # No ratio of the short benchmarks needs the others.
    sources = {} if arguments.short else by_source(LENGTHS[0])
    larger = {} if arguments.short else measured(min(LARGER_CELLS, arguments.longest), "larger")
    calculated = {}
    # Those in which all drawings were seen: each further cell costs the same.
    long = [length for length in found if length >= NUM_NASBENCH101_CELLS]
    if len(long) > 1:
        first, second = long[-2:]
        per_cell = (found[second]["seconds"] - found[first]["seconds"]) / (second - first)
        calculated[FAR] = found[second]["seconds"] + per_cell * (FAR - second)
        print(f"calculated for {FAR:,}: {calculated[FAR] / 3600:.1f} h on this machine")
    show(
        "Scoring streams of NAS-Bench-101 cells at width 144",
        ["cells", "s", "cells/s", "peak GiB"],
        [
            [
                f"{length:,}",
                f"{row['seconds']:.1f}",
                f"{row['cells_per_second']:,.0f}",
                f"{row['peak_bytes'] / 2**30:.2f}",
            ]
            for length, row in found.items()
        ],
    )
    if sources:
        show(
            f"{LENGTHS[0]:,} cells by source",
            ["source", "cells/s"],
            [[name, f"{row['cells_per_second']:,.0f}"] for name, row in sources.items()],
        )
        print(
            f"cells of 8 vertices that do not repeat: {larger['cells_per_second']:,.0f} per second"
        )
    result = {
        "streams": found,
        "sources": sources,
        "without_repeats": larger,
        "calculated_seconds": calculated,
        "top": TOP,
    }
    write_result("stream", result, arguments.results)


if __name__ == "__main__":
    main()
