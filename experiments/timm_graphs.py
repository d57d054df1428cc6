"""Graphs of all architectures of the library timm: how many there are, how long they take.

    pip install -c constraints.txt timm torchvision
    python experiments/timm_graphs.py

Every architecture is built without weights and turned into a graph by
:func:`pyg_nas.spaces.modules.graph_of` for one image of its own size. Parameters are compared with
``sum(p.numel())``, and multiply-accumulates with ``torch.utils.flop_counter`` on the same module.
Seconds are the processor's, which other programs on the machine change little. Results are written
as they come and an interrupted run resumes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import torch
from finished_runs import append_line
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from pyg_nas.spaces.modules import graph_of

RESULTS = Path(__file__).parent / "results"


def import_timm() -> Any:
    """Import timm beside a torchvision without compiled operations.

    A torchvision that was built for another version of torch fails to register shape functions for
    two of its operations. No architecture uses them, so they are declared here.
    """
    for name in ("nms", "qnms"):
        try:
            torch.library.define(f"torchvision::{name}", "(Tensor a, Tensor b, float c) -> Tensor")
        except RuntimeError:
            continue  # the operation is there
    import timm

    return timm


def examine(timm: Any, name: str) -> dict[str, Any]:
    """Build one architecture and its graph; return a row of the result."""
    with torch.device("meta"):
        module = timm.create_model(name).eval()
    images = torch.empty(1, *module.default_cfg["input_size"], device="meta")
    started = time.process_time()
    try:
        graph = graph_of(module, images)
    except Exception as error:
        return {"name": name, "error": f"{type(error).__name__}: {error}"[:300]}
    seconds = time.process_time() - started
    return {
        "name": name,
        "seconds": round(seconds, 4),
        "vertices": len(graph),
        "edges": graph.num_edges,
        "hash": graph.hash[:16],
        "parameters": graph.parameters,
        "parameters_equal": graph.parameters == sum(p.numel() for p in module.parameters()),
        "macs": graph.macs,
        **compare_macs(module, images, graph.macs),
    }


def compare_macs(module: torch.nn.Module, images: torch.Tensor, macs: int) -> dict[str, Any]:
    """Return whether PyTorch's own counter agrees, None where it does not run."""
    try:
        with (
            torch.no_grad(),
            sdpa_kernel(SDPBackend.MATH),
            FlopCounterMode(display=False) as counter,
        ):
            module(images)
    except Exception as error:  # not every architecture runs on the device "meta"
        return {"macs_equal": None, "counter": f"{type(error).__name__}: {error}"[:200]}
    return {"macs_equal": macs == counter.get_total_flops() // 2}


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the figures of the documentation."""
    done = [row for row in rows if "error" not in row]
    compared = [row for row in done if row["macs_equal"] is not None]
    return {
        "architectures": len(rows),
        "graphs": len(done),
        "median_processor_seconds": statistics.median(row["seconds"] for row in done),
        "longest_processor_seconds": max(row["seconds"] for row in done),
        "vertices": [min(r["vertices"] for r in done), max(r["vertices"] for r in done)],
        "parameters_equal": sum(row["parameters_equal"] for row in done),
        "macs_compared": len(compared),
        "macs_equal": sum(row["macs_equal"] for row in compared),
        "errors": {row["name"]: row["error"] for row in rows if "error" in row},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=RESULTS / "timm_graphs.json")
    parser.add_argument("--every", type=int, default=1, help="take only every K-th architecture")
    arguments = parser.parse_args()
    timm = import_timm()
    rows_path = arguments.out.with_suffix(".jsonl")
    rows = []
    if rows_path.exists():
        rows = [json.loads(line) for line in rows_path.read_text().splitlines()]
    known = {row["name"] for row in rows}
    for name in timm.list_models()[:: arguments.every]:
        if name not in known:
            rows.append(examine(timm, name))
            append_line(rows_path, rows[-1])
    result = {"timm": timm.__version__, "torch": torch.__version__, **summary(rows)}
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
