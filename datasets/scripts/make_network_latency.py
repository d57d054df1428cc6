"""Measures the latencies of small networks of nine families on this machine's processor.

python datasets/scripts/make_network_latency.py measure --out network_latency.hdf5
python datasets/scripts/make_network_latency.py install network_latency.hdf5
python datasets/scripts/make_network_latency.py rehash

``measure`` belongs on a machine that does nothing else; it takes about half a second for each
network, measures the noisy ones again at the end, and resumes. ``install`` copies the table to
``datasets/`` and writes the figures of its data card. ``rehash`` builds all networks of the table
in ``datasets/`` again and stores their hashes, which change with the package.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from network_families import FAMILIES, build, configurations

from pyg_nas.cli.progress import progress_bar
from pyg_nas.data.networks.sources import NetworkSource, built_networks
from pyg_nas.data.networks.table import NetworkTable
from pyg_nas.io.files import write_text
from pyg_nas.measure.profiles.profile import profile_networks
from pyg_nas.measure.settings import ProfileSettings
from pyg_nas.spaces.modules.network_array import NetworkArray
from pyg_nas.spaces.modules.trace import graph_of

HERE = Path(__file__).parents[1]
TABLE = "network_latency.hdf5"
START, END = "<!-- latency: start -->", "<!-- latency: end -->"
PER_FAMILY = 180


def sources(per_family: int) -> list[NetworkSource]:
    """Return the networks, named by their configurations as JSON."""
    chosen = list(configurations(per_family))
    return [
        NetworkSource(json.dumps(configuration), source.load)
        for configuration, source in zip(chosen, built_networks(build, chosen), strict=True)
    ]


def measure(out: Path, per_family: int, most_noise: float) -> None:
    """Measure the networks on one thread."""
    settings = ProfileSettings(most_noise=most_noise)
    with progress_bar("measuring networks") as advance:
        result = profile_networks(sources(per_family), out, settings, advance)
    print(f"{len(result.table)} networks in {out}")
    for name, noise in result.noisy.items():
        print(f"too noisy ({noise:.1%}): {name}")
    for name, reason in result.failed.items():
        print(f"failed ({reason}): {name}")


def figures(table: NetworkTable) -> str:
    """Return the card's figures in Markdown."""
    latency, known = table.targets["latency"], ~np.isnan(table.targets["latency"])
    families = np.array([json.loads(name)["family"] for name in table.names])
    spread = table.targets["latency_spread"] / latency
    drift = table.targets["reference_drift"]
    about = table.about
    lines = [
        f"- {len(table):,} networks, {known.sum():,} of them measured; "
        f"{len(np.unique(table.hashes)):,} different graphs of {_range(_sizes(table))} vertices.",
        f"- Processor: {about['processor']}, {about['threads']} thread, PyTorch {about['torch']}, "
        f"float32, batches of 1; median of {about['repeats']} passes after {about['warm_up']}.",
        f"- Interquartile range of a network's passes by their median: median "
        f"{np.nanmedian(spread):.1%}, largest {np.nanmax(spread):.1%}; above "
        f"{about['most_noise']:.0%} nothing was recorded.",
        f"- Time of the reference network as a multiple of its first, "
        f"{1e3 * about['reference_seconds']:.2f} ms: {_range(drift, '.3f')}, median "
        f"{np.nanmedian(drift):.3f}.",
        "",
        "| family | networks | latency, ms | median | parameters | MACs, millions "
        "| peak memory, MB |",
        "|---|---|---|---|---|---|---|",
    ]
    for family in FAMILIES:
        rows = (families == family) & known
        if not rows.any():
            continue
        lines.append(
            f"| {family} | {rows.sum()} | {_range(1e3 * latency[rows], '.2f')} "
            f"| {1e3 * np.median(latency[rows]):.2f} | {_range(table.networks.parameters[rows])} "
            f"| {_range(table.networks.macs[rows] / 1e6, ',.1f')} "
            f"| {_range(table.targets['peak_memory'][rows] / 1e6, ',.1f')} |"
        )
    return "\n".join(lines)


def _sizes(table: NetworkTable) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.diff(table.networks.vertex_ptr)


def _range(values: np.ndarray[tuple[int], np.dtype[np.generic]], form: str = ",") -> str:
    return f"{np.nanmin(values):{form}} to {np.nanmax(values):{form}}"


def install(path: Path) -> None:
    """Copy a table to ``datasets/`` and write its figures into the data card."""
    table = NetworkTable.load(path)
    table.save(HERE / TABLE)
    card = HERE / "README.md"
    before, rest = card.read_text(encoding="utf-8").split(START)
    after = rest.split(END)[1]
    text = figures(table)
    write_text(card, f"{before}{START}\n{text}\n{END}{after}")
    print(text)


def rehash(path: Path = HERE / TABLE) -> None:
    """Store the hashes of today, if the networks are built again as they were measured."""
    table = NetworkTable.load(path)
    configured = (json.loads(name) for name in table.names)
    networks = NetworkArray.from_graphs(graph_of(*build(**settings)) for settings in configured)
    for field in ("columns", "attributes", "vertex_ptr", "edges", "parameters", "macs"):
        np.testing.assert_allclose(
            getattr(networks, field), getattr(table.networks, field), rtol=1e-5, err_msg=field
        )
    changed = (networks.hashes != table.hashes).sum()
    NetworkTable(networks, table.names, table.targets, table.about).save(path)
    print(f"{changed} of {len(table)} hashes changed")


def main() -> None:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    measured = commands.add_parser("measure")
    measured.add_argument("--out", type=Path, default=Path(TABLE))
    measured.add_argument("--per-family", type=int, default=PER_FAMILY)
    measured.add_argument("--most-noise", type=float, default=ProfileSettings.most_noise)
    installed = commands.add_parser("install")
    installed.add_argument("table", type=Path)
    commands.add_parser("rehash")
    given = parser.parse_args()
    if given.command == "measure":
        measure(given.out, given.per_family, given.most_noise)
    elif given.command == "install":
        install(given.table)
    else:
        rehash()


if __name__ == "__main__":
    main()
