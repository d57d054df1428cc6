"""Google's NAS-Bench-101 TFRecord files, read as a stream.

One record is one training run of one cell at one budget. Its payload is a JSON list
``[module_hash, epochs, adjacency, operations, metrics]``: the adjacency as a string of V*V digits,
operations joined by commas with ``input`` first and ``output`` last, metrics as base64 of a
:mod:`pyg_nas.spaces.nasbench101.run_message` message. Framing:
:mod:`pyg_nas.spaces.nasbench101.tfrecord_framing`. Source: ``nasbench/api.py`` of the official
package (arXiv:1902.09635). TensorFlow is not needed.
"""

from __future__ import annotations

import base64
import binascii
import math
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.errors import RecordError, SettingsError, SpaceError, first_true, quoted
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.hashing import digest_text
from pyg_nas.graphs.official_format import OfficialTable
from pyg_nas.graphs.ragged import RaggedGraphs
from pyg_nas.io.formats.json_reader import parse_json
from pyg_nas.io.limits import LARGEST_FLOAT32
from pyg_nas.io.regular_files import check_regular
from pyg_nas.spaces.measurements import HALFWAY, METRICS, RUN_SHAPE, TIME
from pyg_nas.spaces.nasbench101.run_message import decode_messages
from pyg_nas.spaces.nasbench101.space import NASBENCH101, NASBENCH101_BUDGETS, NUM_NASBENCH101_CELLS
from pyg_nas.spaces.nasbench101.tfrecord_framing import payloads, record_ranges

NUM_RUNS = 3
"""Runs of one cell at one budget in the official files; their order is that in the file."""

MOST_BUDGETS = 8
"""Most different budgets, the four official ones included: a limit on the memory of unusual
files."""

MOST_EPOCHS = 999_999
"""Epochs of a run."""

_WIDTH = NASBENCH101.max_vertices
_LEAST_RECORD_BYTES = 100  # limits the number of cells in a file of a given size
_PARALLEL_FROM_BYTES = 16 * 2**20  # below, starting processes takes longer than they save

# The output of the official writer (json.dumps); other spellings of the list are parsed by json.
_USUAL = re.compile(
    rb'\["([0-9a-f]{32})", ([1-9][0-9]{0,5}), "([01]{4,49}", "[a-z0-9,-]+)", '
    rb'"([A-Za-z0-9+/]+={0,2})"\]'
)
_HASH = re.compile("[0-9a-f]{32}")


def read_records(
    source: str | os.PathLike[str], progress: Callable[[int, int], None] | None = None
) -> OfficialTable:
    """Read an official file.

    The cells have the order of their first records, with the graph of that record. Budgets are 4,
    12, 36 and 108 epochs, NaN where the file has no record (all but 108 in the only-108 file); a
    file with records at other budgets gives just the budgets in it. A cell has at most three runs
    at each budget, in the order of the file.

    Every checksum, message, graph and module hash is verified. Memory is bounded by the search
    space (423,624 cells), not by the file: 0.2 GB for the table and as much for two processes.

    Args:
        source: The TFRecord file.
        progress: Called with (bytes done, bytes in all).

    Raises:
        RecordError: If a record is damaged or invalid; the message has its byte offset.
    """
    path = Path(source)
    total = check_regular(path, RecordError)
    collector = _Collector(path, total)
    for batch in _batches(path, total):
        collector.add(batch)
        if progress is not None:
            progress(batch.end, total)
    return collector.table()


@dataclass(frozen=True)
class _Batch:
    """The records of one byte range, verified one by one.

    ``cell`` is the index of each record's cell among the ``C`` cells of the range; the range has
    ``R`` records.
    """

    end: int
    hashes: NDArray[np.bytes_]  # [C]
    cells: CellArray  # [C]
    parameters: NDArray[np.int64]  # [C]
    cell: NDArray[np.int64]  # [R]
    epochs: NDArray[np.int64]  # [R]
    metrics: NDArray[np.float32]  # [R, 2, 4]
    offsets: NDArray[np.int64]  # [R]


def _batches(path: Path, total: int) -> Iterator[_Batch]:
    ranges = record_ranges(path)
    if total < _PARALLEL_FROM_BYTES:
        for start, end in ranges:
            yield _read_batch(path, start, end)
        return
    from joblib import Parallel, delayed

    # Results are received in order and only a few ranges are read ahead: memory is bounded.
    workers = Parallel(n_jobs=-1, return_as="generator", pre_dispatch="2*n_jobs", batch_size=1)
    yield from workers(delayed(_read_batch)(path, start, end) for start, end in ranges)


def _read_batch(path: Path, start: int, end: int) -> _Batch:
    """Read and verify the records of one byte range."""
    return _verified(path, end, _parsed(path, start, end))


@dataclass
class _Parsed:
    """What the ``R`` records of one byte range contain, of ``C`` different drawings."""

    graphs: list[tuple[NDArray[np.int8], NDArray[np.int8]]] = field(default_factory=list)  # [C]
    hashes: list[bytes] = field(default_factory=list)  # [C]
    first_record: list[int] = field(default_factory=list)  # [C]
    cell: list[int] = field(default_factory=list)  # [R], the drawing of each record
    epochs: list[int] = field(default_factory=list)  # [R]
    offsets: list[int] = field(default_factory=list)  # [R]
    messages: list[bytes] = field(default_factory=list)  # [R]


def _parsed(path: Path, start: int, end: int) -> _Parsed:
    found = _Parsed()
    cell_of: dict[tuple[bytes, bytes], int] = {}
    for offset, payload in payloads(path, start, end):
        try:
            usual = _USUAL.fullmatch(payload)
            if usual is not None and len(usual[4]) % 4 == 0:
                digest, budget, graph, metrics = usual.groups()
                found.messages.append(binascii.a2b_base64(metrics))
                found.epochs.append(int(budget))
            else:
                text, number, digits, names, raw = _parse_json(payload)
                digest, graph = text.encode(), f'{digits}", "{names}'.encode()
                found.messages.append(_decode_base64(raw))
                found.epochs.append(number)
            key = (digest, graph)
            index = cell_of.get(key)
            if index is None:
                index = cell_of[key] = len(found.graphs)
                digits, names = graph.decode().split('", "')
                found.graphs.append(_parse_graph(digits, names))
                found.hashes.append(digest)
                found.first_record.append(len(found.offsets))
        except RecordError as error:
            raise RecordError(f"{path}, byte {offset}: {error}") from None
        found.cell.append(index)
        found.offsets.append(offset)
    return found


def _verified(path: Path, end: int, found: _Parsed) -> _Batch:
    """Check metrics, graphs, hashes and parameters; ``end`` is the end of the byte range."""
    metrics, parameters_of, failure = decode_messages(found.messages)
    if failure is not None:
        raise RecordError(f"{path}, byte {found.offsets[failure.position]}: {failure.reason}")
    wrong = first_bad_reading(metrics)
    if wrong is not None:
        raise RecordError(f"{path}, byte {found.offsets[wrong[0]]}: {wrong[1]}")
    drawn = RaggedGraphs.of_lists(
        [ids for _, ids in found.graphs],
        [np.array(np.nonzero(matrix)) for matrix, _ in found.graphs],
    )
    sizes = np.diff(drawn.vertex_ptr).astype(np.int8)
    cells = CellArray(*drawn.to_padded(_WIDTH), sizes, NASBENCH101)
    first = [found.offsets[record] for record in found.first_record]
    invalid = cells.first_invalid()
    if invalid is not None:
        raise RecordError(f"{path}, byte {first[invalid[0]]}: {invalid[1]}")
    hashes, computed = np.array(found.hashes, dtype="S32"), cells.hashes()
    if (c := first_true(hashes != computed)) is not None:
        raise RecordError(
            f"{path}, byte {first[c]}: the module hash {found.hashes[c].decode()} is not that of "
            f"the graph, {computed[c].decode()}"
        )
    cell = np.array(found.cell, dtype=np.int64)
    parameters = parameters_of[found.first_record]
    if (record := first_true(parameters_of != parameters[cell])) is not None:
        raise _parameters_differ(
            path, found.offsets[record], found.hashes[cell[record]], parameters_of[record]
        )
    return _Batch(
        end=end,
        hashes=hashes,
        cells=cells,
        parameters=parameters,
        cell=cell,
        epochs=np.array(found.epochs, dtype=np.int64),
        metrics=metrics.astype(np.float32),
        offsets=np.array(found.offsets, dtype=np.int64),
    )


class _Collector:
    """Joins batches to one table."""

    def __init__(self, path: Path, total: int) -> None:
        self.path = path
        capacity = min(NUM_NASBENCH101_CELLS, total // _LEAST_RECORD_BYTES)
        # The system allocates pages of np.empty only as rows are written.
        self.adjacency = np.empty((capacity, _WIDTH, _WIDTH), dtype=np.int8)
        self.operations = np.empty((capacity, _WIDTH), dtype=np.int8)
        self.num_vertices = np.empty(capacity, dtype=np.int8)
        self.hashes = np.empty(capacity, dtype="S32")
        self.parameters = np.empty(capacity, dtype=np.int64)
        self.budgets = list(NASBENCH101_BUDGETS)
        self.found: set[int] = set()
        shape = (capacity, len(self.budgets), NUM_RUNS, *RUN_SHAPE)
        self.metrics = np.empty(shape, dtype=np.float32)
        self.counts = np.zeros((capacity, len(self.budgets)), dtype=np.int8)
        self.row_of: dict[bytes, int] = {}

    def add(self, batch: _Batch) -> None:
        rows = self._rows(batch)
        row = rows[batch.cell]
        budget = self._budget_columns(batch)
        # Position of each record among the batch's records of its cell and budget.
        group = row * len(self.budgets) + budget
        order = np.argsort(group, kind="stable")
        ordered = group[order]
        starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        sizes = np.diff(np.r_[starts, len(ordered)])
        position = np.empty(len(group), dtype=np.int64)
        position[order] = np.arange(len(group)) - np.repeat(starts, sizes)
        run = self.counts[row, budget] + position
        if (i := first_true(run >= NUM_RUNS)) is not None:
            raise RecordError(
                f"{self.path}, byte {batch.offsets[i]}: cell "
                f"{digest_text(batch.hashes[batch.cell[i]])} has more than {NUM_RUNS} runs "
                f"at {batch.epochs[i]} epochs"
            )
        self.metrics[row, budget, run] = batch.metrics
        np.add.at(self.counts, (row, budget), 1)

    def table(self) -> OfficialTable:
        n = len(self.row_of)
        if n == 0:
            raise RecordError(f"{self.path}: contains no record")
        graphs = self.adjacency[:n], self.operations[:n], self.num_vertices[:n]
        cells = CellArray(*graphs, NASBENCH101)
        parameters = self.parameters[:n]
        about: dict[str, Any] = {"source": self.path.name}
        if not np.array_equal(parameters, cells.trainable_parameters()):
            about["network"] = "not the official NAS-Bench-101: its parameter counts differ"
        metrics, budgets = self.metrics[:n], self.budgets
        if not self.found <= set(NASBENCH101_BUDGETS):
            budgets = sorted(self.found)
            metrics = metrics[:, [self.budgets.index(b) for b in budgets]]
        return OfficialTable(
            cells, metrics, tuple(budgets), about, self.hashes[:n], parameters.astype(np.int32)
        )

    def _rows(self, batch: _Batch) -> NDArray[np.int64]:
        """Return the table's row of each of the batch's cells; rows of new cells are added."""
        known = len(self.row_of)
        digests = batch.hashes.tolist()
        rows = np.array(
            [self.row_of.setdefault(digest, len(self.row_of)) for digest in digests], dtype=np.int64
        )
        # A batch may have several labelled copies of one cell: the first one is kept.
        fresh_rows, fresh = np.unique(rows, return_index=True)
        fresh = fresh[fresh_rows >= known]
        new = slice(known, known + len(fresh))
        self.adjacency[new] = batch.cells.adjacency[fresh]
        self.operations[new] = batch.cells.operations[fresh]
        self.num_vertices[new] = batch.cells.num_vertices[fresh]
        self.hashes[new] = batch.hashes[fresh]
        self.parameters[new] = batch.parameters[fresh]
        self.metrics[new] = np.nan
        if (c := first_true(self.parameters[rows] != batch.parameters)) is not None:
            record = int(np.argmax(batch.cell == c))
            raise _parameters_differ(
                self.path, batch.offsets[record], batch.hashes[c], batch.parameters[c]
            )
        return rows

    def _budget_columns(self, batch: _Batch) -> NDArray[np.int64]:
        """Return the budget column of each record; columns of new budgets are added."""
        present = np.unique(batch.epochs).tolist()
        self.found.update(present)
        for epochs in present:
            if epochs in self.budgets:
                continue
            if len(self.budgets) == MOST_BUDGETS:
                record = int(np.argmax(batch.epochs == epochs))
                raise RecordError(
                    f"{self.path}, byte {batch.offsets[record]}: more than {MOST_BUDGETS} "
                    f"different budgets, the newest {epochs} epochs"
                )
            self.budgets.append(epochs)
            column = np.full_like(self.metrics[:, :1], np.nan)
            self.metrics = np.concatenate([self.metrics, column], axis=1)
            self.counts = np.pad(self.counts, ((0, 0), (0, 1)))
        columns = {epochs: column for column, epochs in enumerate(self.budgets)}
        lookup = np.array([columns[epochs] for epochs in present], dtype=np.int64)
        return lookup[np.searchsorted(present, batch.epochs)]


def _parse_json(payload: bytes) -> tuple[str, int, str, str, str]:
    """Return hash, epochs, digits, joined operations and base64 metrics of a payload."""
    try:
        fields = parse_json(payload)
    except SettingsError as error:
        raise RecordError(f"the payload is not JSON ({error})") from None
    if not isinstance(fields, list) or len(fields) != 5:
        raise RecordError(
            "the payload must be a JSON list [module_hash, epochs, adjacency, operations, metrics]"
        )
    digest, epochs, digits, names, metrics = fields
    for name, value in (
        ("module_hash", digest),
        ("adjacency", digits),
        ("operations", names),
        ("metrics", metrics),
    ):
        if not isinstance(value, str):
            raise RecordError(f"{name} must be a string, got {quoted(value)}")
        # Names, digits and base64 are ASCII; quotes would be confused with those of the list.
        if not value.isascii() or '"' in value:
            raise RecordError(f"{name} must be ASCII without quotes, got {quoted(value)}")
    if not _HASH.fullmatch(digest):
        raise RecordError(f"module_hash must be 32 hex digits, got {quoted(digest)}")
    whole = isinstance(epochs, int) and not isinstance(epochs, bool)
    if not whole or not 1 <= epochs <= MOST_EPOCHS:
        raise RecordError(f"epochs must be a whole number from 1 on, got {quoted(epochs)}")
    return digest, epochs, digits, names, metrics


def _parse_graph(digits: str, names: str) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """Return adjacency ``[V, V]`` and operation ids ``[V]`` of a record's two strings."""
    listed = names.split(",")
    v = math.isqrt(len(digits))
    if v * v != len(digits) or not 2 <= v <= _WIDTH:
        raise RecordError(
            f"adjacency must have V*V digits for V from 2 to {_WIDTH} vertices, got {len(digits)}"
        )
    if len(listed) != v:
        raise RecordError(f"adjacency is for {v} vertices, operations names {len(listed)}")
    if set(digits) - {"0", "1"}:
        raise RecordError(f"adjacency must be digits 0 and 1, got {quoted(digits)}")
    try:
        ids = NASBENCH101.encode(listed)
    except SpaceError as error:
        raise RecordError(str(error)) from None
    adjacency = np.frombuffer(digits.encode("ascii"), dtype=np.int8) - ord("0")
    return adjacency.reshape(v, v).astype(np.int8), np.array(ids, dtype=np.int8)


def _decode_base64(text: str) -> bytes:
    try:
        # Some encoders insert line breaks, which are not in the strict alphabet.
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError as error:
        raise RecordError(f"metrics are not base64 ({error})") from None


def first_bad_reading(metrics: NDArray[np.float64]) -> tuple[int, str] | None:
    """Return the first invalid one of ``[n, 2, 4]`` readings, and why."""
    highest = np.array([LARGEST_FLOAT32, 1.0, 1.0, 1.0])
    bad = ~((metrics >= 0) & (metrics <= highest))  # NaN, which compares to nothing, included
    if not bad.any():
        return None
    i, point, metric = (int(k) for k in np.argwhere(bad)[0])
    value = metrics[i, point, metric]
    rule = "seconds >= 0" if metric == TIME else "a fraction from 0 to 1"
    if np.isnan(value):
        moment = "halfway" if point == HALFWAY else "at the end"
        return i, f"{METRICS[metric]} {moment} is missing or NaN"
    return i, f"{METRICS[metric]} must be {rule}, got {value}"


def _parameters_differ(path: Path, offset: int, digest: bytes, parameters: int) -> RecordError:
    return RecordError(
        f"{path}, byte {offset}: cell {digest_text(digest)} has {parameters} trainable "
        f"parameters here and another number in an earlier record"
    )
