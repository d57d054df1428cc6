"""Feeds damaged inputs to one public reader, in a process of its own.

    python -m tests.fuzz.worker READER FOLDER FIRST COUNT

Every input gives a result or a :class:`PygNasError`. Anything else, an input that takes longer
than :data:`SECONDS`, or a changed input file ends the process with a traceback that names the
seed. The last line says how many inputs were accepted and refused, and the peak of memory.
"""

from __future__ import annotations

import copy
import hashlib
import json
import random
import resource
import signal
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pyg_nas.data.protocols.labels import LabelPolicy
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import PygNasError
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.enumeration import enumerate_cells
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.predictors.storage.folder import settings_checksum
from pyg_nas.spaces.nasbench101 import NASBENCH101
from tests.fuzz.mutation import HOSTILE_NAMES, damage_bytes, damage_json, damage_json_text

SECONDS = 20  # of processor time, which a busy machine does not stretch
MOST_SECONDS = 300  # of the whole process: what ends a hang inside a C library
ADDRESS_SPACE = 8 * 2**30  # far above what any input may take, so that a wild one fails soon

SMALL = SearchSpace(NASBENCH101.name, NASBENCH101.operations, 4, 9, NASBENCH101.terminals)


class TooLong(BaseException):
    """An input took longer than it may; no reader's ``except Exception`` catches it."""


def few_cells() -> CellArray:
    """Some cells of NAS-Bench-101, found without enumerating all of it."""
    found = [Cell(c.adjacency, c.operations) for c in enumerate_cells(SMALL)]
    return CellArray.from_cells(found[::9])


def few_results() -> Table:
    """Those cells with made-up results."""
    cells = few_cells()
    rng = np.random.default_rng(0)
    metrics = rng.uniform(0.5, 0.95, (len(cells), 4, 3, 2, 4)).astype(np.float32)
    return Table(cells, metrics)


class Reader:
    """A file, how to damage it, and what reads it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "input"

    def feed(self, random_: random.Random) -> None:
        """Write a damaged file, read it, and see that reading left it as it was."""
        data = self.damaged(random_)
        self.path.write_bytes(data)
        try:
            self.read(random_)
        finally:
            if self.path.read_bytes() != data:
                raise AssertionError("the reader changed its input")

    def damaged(self, random_: random.Random) -> bytes:
        """Return a damaged file."""
        raise NotImplementedError

    def read(self, random_: random.Random) -> None:
        """Read the file as a user's call would."""
        raise NotImplementedError


class TableReader(Reader):
    """HDF5 tables, packed and as other projects write them."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.path = folder / "table.hdf5"
        table = few_results()
        table.save(self.path)
        self.files = [self.path.read_bytes()]
        import h5py

        with h5py.File(self.path, "w") as file:
            for name, column in {
                "hash": table.hashes,
                "num_vertices": table.cells.num_vertices,
                "trainable_parameters": table.trainable_parameters,
                "adjacency": table.cells.adjacency,
                "operations": table.cells.operations,
                "metrics": table.metrics,
            }.items():
                file.create_dataset(name, data=column)
        self.files.append(self.path.read_bytes())

    def damaged(self, random_: random.Random) -> bytes:
        return damage_bytes(random_.choice(self.files), random_)

    def read(self, random_: random.Random) -> None:
        table = Table.load(self.path)
        table.label()
        table.check()
        list(table.cells)


class TFRecordReader(Reader):
    """Google's record files, cut and damaged anywhere, also with their checksums put right."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        from pyg_nas.data.tables.official_file import write_official

        self.path = folder / "input.tfrecord"
        write_official(few_results().subset(slice(0, 3)), self.path)
        self.whole = self.path.read_bytes()
        self.out = folder / "out.hdf5"

    def damaged(self, random_: random.Random) -> bytes:
        if random_.random() < 0.5:
            return damage_bytes(self.whole, random_)
        records = []
        place = 0
        while place < len(self.whole):
            length = int.from_bytes(self.whole[place : place + 8], "little")
            records.append(self.whole[place + 12 : place + 12 + length])
            place += length + 16
        for row in random_.sample(range(len(records)), random_.choice((1, 2))):
            if random_.random() < 0.5:
                records[row] = damage_bytes(records[row], random_)
            else:
                records[row] = damage_json_text(json.loads(records[row]), random_)
        return b"".join(framed(record) for record in records)

    def read(self, random_: random.Random) -> None:
        from pyg_nas.data.tables.official_file import convert

        self.out.unlink(missing_ok=True)
        try:
            convert(self.path, self.out)
        except PygNasError:
            if self.out.exists() or list(self.folder.glob("*.part*")):
                raise AssertionError("a refused file left output behind") from None
            raise
        Table.load(self.out).check()


def framed(payload: bytes) -> bytes:
    """Return a payload as a TFRecord with correct checksums."""
    import google_crc32c

    def masked(data: bytes) -> bytes:
        crc = int(google_crc32c.value(data))
        rotated = ((crc >> 15) | (crc << 17)) & 0xFFFFFFFF
        return ((rotated + 0xA282EAD8) & 0xFFFFFFFF).to_bytes(4, "little")

    length = len(payload).to_bytes(8, "little")
    return length + masked(length) + payload + masked(payload)


class GraphReader(Reader):
    """Users' own graphs as JSON Lines."""

    RECORD = {  # noqa: RUF012 (copied before it is changed)
        "ops": ["image", "conv", "pool", "head"],
        "edges": [[0, 1], [1, 2], [2, 3], [0, 3]],
        "y": 0.93,
    }

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.path = folder / "input.jsonl"

    def damaged(self, random_: random.Random) -> bytes:
        whole = json.dumps(self.RECORD).encode()
        lines = [
            damage_json_text(self.RECORD, random_) if random_.random() < 0.3 else whole
            for _ in range(random_.choice((1, 2, 5)))
        ]
        data = b"\n".join(lines)
        return damage_bytes(data, random_) if random_.random() < 0.3 else data

    def read(self, random_: random.Random) -> None:
        from pyg_nas.data.tables.sources import open_table

        space = random_.choice((None, NASBENCH101, SearchSpace("g", ("conv", "pool"), 4, 4)))
        table = open_table(self.path, space)
        table.label(LabelPolicy(resample_below=None))
        table.cells.hashes()


class ModelReader(Reader):
    """Model folders: settings and weights, also with the checksum put right."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        from pyg_nas.data.protocols.protocol import Protocol
        from pyg_nas.predictors.gnn.gcn import GCNClassifier, GCNRegressor
        from pyg_nas.predictors.gnn.two_stage import TwoStageRegressor
        from pyg_nas.predictors.hybrid import HybridRegressor
        from pyg_nas.predictors.trained import TrainedPredictor

        table = few_results()
        self.table = table
        small: dict[str, Any] = {"hidden": 4, "head": 3, "epochs": 1, "device": "cpu"}
        self.models = []
        for name, estimator in (
            ("one", GCNRegressor(**small)),
            ("two", TwoStageRegressor(GCNClassifier(**small), GCNRegressor(**small))),
            ("best", HybridRegressor(1, hidden=4, epochs=1, device="cpu")),
        ):
            y = table.label()
            estimator.fit(table.cells, y)
            model = TrainedPredictor(estimator, "paper", Protocol("all"), table.hashes)
            model.save(folder / name)
            self.models.append(
                (
                    json.loads((folder / name / "settings.json").read_text()),
                    (folder / name / "weights.safetensors").read_bytes(),
                )
            )
        self.path = folder / "model" / "settings.json"
        self.weights = folder / "model" / "weights.safetensors"
        self.path.parent.mkdir()

    def damaged(self, random_: random.Random) -> bytes:
        settings, weights = random_.choice(self.models)
        if random_.random() < 0.4:
            weights = damage_bytes(weights, random_)
            settings = copy.deepcopy(settings)
            if random_.random() < 0.8:
                settings["weights_sha256"] = hashlib.sha256(weights).hexdigest()
                settings["settings_sha256"] = settings_checksum(settings)
            text = json.dumps(settings).encode()
        elif random_.random() < 0.2:
            text = damage_json_text(settings, random_)
        else:
            settings = damage_json(settings, random_)
            if isinstance(settings, dict):
                settings["settings_sha256"] = settings_checksum(settings)
            text = json.dumps(settings).encode()
        self.weights.write_bytes(weights)
        return text

    def read(self, random_: random.Random) -> None:
        from pyg_nas.predictors.trained import TrainedPredictor

        before = self.weights.read_bytes()
        try:
            model = TrainedPredictor.load(self.path.parent, device="cpu")
            model.estimator.predict(self.table.cells[:2])
        finally:
            if self.weights.read_bytes() != before:
                raise AssertionError("the reader changed the weights")


class SearchReader(Reader):
    """Search folders: settings, queries and the answer."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        from pyg_nas.search.evaluators.table import TableEvaluator
        from pyg_nas.search.loop import search
        from pyg_nas.search.methods.strategies import RandomSearch
        from pyg_nas.search.search_folder.folder import SearchFolder

        table = few_results()
        evaluator = TableEvaluator(table)
        self.settings = {"method": "random", "space": table.space.to_dict(), "seed": 1}
        record = SearchFolder(folder / "whole", self.settings, table.space)
        search(RandomSearch(), evaluator, 6, 1, folder=record)
        lines = (folder / "whole" / "queries.jsonl").read_text().splitlines()
        self.queries = [json.loads(line) for line in lines]
        self.answer = {"answer": self.queries[0], "regret_against": {"best": 0.95}}
        self.search = folder / "search"
        self.search.mkdir()
        self.path = self.search / "queries.jsonl"

    def damaged(self, random_: random.Random) -> bytes:
        parts: dict[str, Any] = {"settings.json": self.settings, "answer.json": self.answer}
        for name, value in parts.items():
            text = json.dumps(value).encode()
            if random_.random() < 0.15:
                text = damage_json_text(value, random_)
            (self.search / name).write_bytes(text)
        lines = [
            damage_json_text(query, random_)
            if random_.random() < 0.1
            else json.dumps(query).encode()
            for query in self.queries
        ]
        data = b"".join(line + b"\n" for line in lines)
        return damage_bytes(data, random_) if random_.random() < 0.2 else data

    def read(self, random_: random.Random) -> None:
        from pyg_nas.report.page import render
        from pyg_nas.report.searches import search_page

        page = render(search_page(self.search))
        if "<img" in page.split("<script>")[0]:
            raise AssertionError("a name became markup")


class ValueReader(Reader):
    """What takes Python values rather than files: cells, spaces, labels."""

    CELL = {  # noqa: RUF012
        "ops": ["input", "conv3x3-bn-relu", "output"],
        "edges": [[0, 1], [1, 2]],
    }

    def feed(self, random_: random.Random) -> None:
        kind = random_.randrange(4)
        if kind == 0:
            cell = Cell.from_dict(damage_json(self.CELL, random_))
            Cell.from_data(cell.to_data()).trainable_parameters  # noqa: B018
        elif kind == 1:
            SearchSpace.from_dict(damage_json(NASBENCH101.to_dict(), random_)).to_dict()
        elif kind == 2:
            str(LabelPolicy.from_dict(damage_json(LabelPolicy().to_dict(), random_)))
        else:
            self._named(random_)

    def _named(self, random_: random.Random) -> None:
        """A cell whose operations have hostile names, through drawing and JSON."""
        from pyg_nas.visualization.cells import cell_svg

        names = tuple(random_.sample(HOSTILE_NAMES, 3))
        space = SearchSpace(random_.choice(HOSTILE_NAMES), names, 5, 9)
        cell = Cell(np.triu(np.ones((3, 3)), 1), list(names), space)
        if "<img" in cell_svg(cell):
            raise AssertionError("a name became markup")
        Cell.from_dict(json.loads(json.dumps(cell.to_dict())), space)


class SettingsReader(Reader):
    """Settings files of training runs, and grids of the tuner."""

    def damaged(self, random_: random.Random) -> bytes:
        from pyg_nas.measure.settings import TrainingSettings

        self.grid = random_.random() < 0.5
        whole = {"hidden": [8, 16], "epochs": [2]} if self.grid else TrainingSettings().to_dict()
        return damage_json_text(whole, random_)

    def read(self, random_: random.Random) -> None:
        from pyg_nas.measure.settings import TrainingSettings
        from pyg_nas.predictors.model_selection.candidates import read_grid

        if not self.grid:
            TrainingSettings().changed_by_file(self.path)
            return
        try:
            description = json.loads(self.path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError):
            return  # the command line's own reading; the grid starts from values
        read_grid(description)


class PathReader(Reader):
    """Files with hostile names, and folders where a file should be."""

    def feed(self, random_: random.Random) -> None:
        from pyg_nas.data.tables.sources import open_table

        name = random_.choice(HOSTILE_NAMES)[:200].replace("\x00", "?")
        suffix = random_.choice((".hdf5", ".jsonl", ".tfrecord", ""))
        path = self.folder / (f"{name}{suffix}".replace("/", "_") or "_")
        try:
            if random_.random() < 0.5:
                path.write_bytes(random_.randbytes(random_.choice((0, 1, 100))))
            open_table(path)
        except UnicodeEncodeError:
            return  # the file system cannot have such a name
        finally:
            for file in self.folder.iterdir():
                file.unlink()


READERS: dict[str, Callable[[Path], Reader]] = {
    "table": TableReader,
    "tfrecord": TFRecordReader,
    "graphs": GraphReader,
    "model": ModelReader,
    "search": SearchReader,
    "values": ValueReader,
    "settings": SettingsReader,
    "paths": PathReader,
}


def main(kind: str, folder: str, first: int, count: int) -> None:
    """Feed ``count`` inputs, seeded ``first`` and up."""
    warnings.simplefilter("ignore")
    reader = READERS[kind](Path(folder))
    # From here on: what a reader imports has its place already.
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS))

    def too_long(*_: object) -> None:
        raise TooLong(f"an input took longer than {SECONDS} s")

    signal.signal(signal.SIGPROF, too_long)
    refused = 0
    for seed in range(first, first + count):
        random_ = random.Random(f"{kind} {seed}")
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            reader.feed(random_)
        except PygNasError as error:
            if not str(error).strip():
                raise AssertionError(f"{kind}, seed {seed}: an error without a message") from error
            refused += 1
        except BaseException:
            print(f"{kind}, seed {seed}", file=sys.stderr)
            raise
        signal.setitimer(signal.ITIMER_PROF, 0)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"accepted": count - refused, "refused": refused, "peak_mib": peak}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
