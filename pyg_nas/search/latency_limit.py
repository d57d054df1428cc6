"""The limit on latency of a search, by the measured latencies of the cells that it has trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyg_nas.compute.device import check_device, pick_device
from pyg_nas.errors import MeasureError, PygNasError, listed
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.io.files import write_json
from pyg_nas.io.formats.json_reader import read_object
from pyg_nas.io.record import checked_value
from pyg_nas.io.text import counted, milliseconds
from pyg_nas.measure.profiles.latency import Latency, device_name, measure_latency
from pyg_nas.measure.trained_network.card import is_device_of_limit
from pyg_nas.search.search_folder.stored import stored_latency

if TYPE_CHECKING:
    from pyg_nas.graphs.cell import Cell

FINISH_LATENCY = "finish-latency.json"
"""The measurements of an unfinished `pyg-nas finish`, in the folder of the search."""

BuildNetwork = Callable[["Cell"], tuple[Any, Any]]
"""Returns the network of a cell with one image."""


@dataclass(frozen=True)
class LatencyLimit:
    """What a search expected of its networks, and where they can be measured.

    Args:
        folder: Of the search.
        seconds: The limit.
        device: The device of this machine whose latencies can be compared: the search's, or else
            the processor.
        found: Content of the search's ``latency.json``.
    """

    folder: Path
    seconds: float
    device: str
    found: dict[str, Any]

    @classmethod
    def read(cls, folder: Path, seconds: float) -> LatencyLimit:
        """Read it from the folder of a search."""
        found = stored_latency(folder) or {}  # an interrupted search of version 0.1 lacks it
        try:
            device = str(found.get("measured_on") or "cpu")
            check_device(device)
        except PygNasError:  # another machine
            device = "cpu"
        return cls(folder, seconds, device, found)

    def describe(self, cell: Cell) -> dict[str, Any]:
        """Return the limit, and what the search expected of a cell, as JSON values."""
        expected = {name: self.found.get(name) for name in ("device", "median_error", "error_90")}
        expected["limit"] = self.seconds
        expected["predicted"] = self.found.get("cells", {}).get(cell.hash)
        return expected


@dataclass(frozen=True)
class Candidates:
    """The cells of a search of which one is trained for the user.

    Args:
        cells: The cells, the best first.
        latencies: Their measured latencies, by module hash, where the search had a limit that
            holds for a device of this machine.
        passed_over: Latency of the cells that are above this limit, in seconds, by module hash.
    """

    cells: CellArray
    latencies: dict[str, Latency]
    passed_over: dict[str, float]

    @classmethod
    def of(
        cls, ranked: CellArray, most: int, limit: LatencyLimit | None, build: BuildNetwork
    ) -> Candidates:
        """Return the best cells whose networks are measured to be within the limit.

        Nothing is measured without a limit, or if the limit is for another device.

        Args:
            ranked: All cells in question, the best first.
            most: Number of candidates.

        Raises:
            MeasureError: If no cell is within the limit.
        """
        if limit is None:
            return cls(ranked[:most], {}, {})
        processor = device_name(pick_device(limit.device))
        if not is_device_of_limit(processor, limit.found.get("device")):
            return cls(ranked[:most], {}, {})
        stored = _Measurements(limit.folder / FINISH_LATENCY, limit.device, processor)
        latencies: dict[str, Latency] = {}
        passed_over: dict[str, float] = {}
        rows: list[int] = []
        for row, cell in enumerate(ranked):
            latency = stored.measured(cell, build, limit.seconds)
            if latency.median > limit.seconds:
                passed_over[cell.hash] = latency.median
                continue
            latencies[cell.hash] = latency
            rows.append(row)
            if len(rows) == most:
                break
        if not rows:
            stored.path.unlink(missing_ok=True)  # the next command may be on a quieter machine
            slow = listed(map(milliseconds, sorted(passed_over.values())), 10)
            raise MeasureError(
                f"{limit.folder}: of {counted(len(ranked), 'trained cell')} none is within the "
                f"limit of {milliseconds(limit.seconds)} on {processor}; measured: {slow}. The "
                f"search kept it for predicted latencies: search with a lower --max-latency"
            )
        return cls(ranked[rows], latencies, passed_over)


class _Measurements:
    """Measured latencies in a file, so that a resumed command has the same candidates.

    Raises:
        SettingsError: If the file is damaged.
    """

    def __init__(self, path: Path, device: str, processor: str) -> None:
        self.path, self.device, self.processor = path, device, processor
        self._latencies: dict[str, Latency] = {}
        if path.exists() and (stored := read_object(path)).get("processor") == processor:
            found = stored.get("latencies")
            self._latencies = checked_value(dict[str, Latency], found, f"{path}: latencies")

    def measured(self, cell: Cell, build: BuildNetwork, limit: float) -> Latency:
        if cell.hash in self._latencies:
            return self._latencies[cell.hash]
        network = build(cell)
        latency = measure_latency(network, self.device)
        if latency.median > limit:  # other processes may have slowed it down
            again = measure_latency(network, self.device)
            latency = min(latency, again, key=lambda one: one.median)
        self._latencies[cell.hash] = latency
        latencies = {digest: asdict(one) for digest, one in self._latencies.items()}
        write_json(self.path, {"processor": self.processor, "latencies": latencies})
        return latency
