"""A folder of inputs, and commands that are run on them: forked, in new processes, and watched."""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from pyg_nas.data.networks.table import NetworkTable
from pyg_nas.data.tables.architecture_csv import read_architectures
from pyg_nas.data.tables.official_file import write_official
from pyg_nas.data.tables.shipped import shipped_table
from pyg_nas.graphs.registry import find_space
from pyg_nas.predictors.networks.lists import read_candidates
from tests import own_predictor
from tests.fuzz.cases import CASES, Case

ROOT = Path(__file__).parents[2]
SMALL = {"stem_channels": 4, "num_stacks": 1, "modules_per_stack": 1, "batch_size": 16}
NETWORKS = """
import torch
from torch import nn
def build(width, depth):
    with torch.device("meta"):
        layers = [nn.Conv2d(3, width, 3), *[nn.ReLU(), nn.Conv2d(width, width, 1)] * depth]
        return nn.Sequential(*layers), torch.zeros(1, 3, 8, 8)
"""
CAPABILITIES = 0x20080522  # the version of the system call's arguments
STALE_SECONDS = 5.0  # after a shorter time a temporary file of a killed process counts as abandoned
CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "sqlite3.connect"}


class Running:
    """A process that was started, and the pipe that its errors are written to."""

    def __init__(self, pid: int, errors: int) -> None:
        self.pid = pid
        self.error = ""
        self._errors = errors
        self.returncode: int | None = None
        self.cpu_seconds = 0.0

    def poll(self) -> bool:
        """Whether it has ended."""
        if self.returncode is None:
            self._reap(os.WNOHANG)
        return self.returncode is not None

    def wait(self) -> str:
        """Wait for its end and return its errors."""
        if self.returncode is None:
            self._reap(0)
        return self.error

    def kill(self) -> bool:
        """Send SIGKILL; return whether that ended it."""
        if not self.poll():
            os.kill(self.pid, signal.SIGKILL)
            self._reap(0)
        return self.returncode == -signal.SIGKILL

    def kill_after(self, seconds: float) -> bool:
        """Kill it when it has used that much processor time, which a busy machine does not change.

        Returns:
            Whether it was running then.
        """
        clock = (~self.pid << 3) | 2  # Linux' clock of the processor time of a process
        while not self.poll():
            with suppress(OSError):
                if time.clock_gettime(clock) >= seconds:
                    return self.kill()
            time.sleep(0.002)
        return False

    def _reap(self, options: int) -> None:
        pid, status, usage = os.wait4(self.pid, options)
        if pid:
            self.returncode = os.waitstatus_to_exitcode(status)
            self.cpu_seconds = usage.ru_utime + usage.ru_stime
            os.set_blocking(self._errors, False)  # workers of it may live on
            with suppress(BlockingIOError):
                self.error = os.read(self._errors, 2**16).decode("utf-8", "replace")
            os.close(self._errors)


class Reference:
    """What an undisturbed run of a case leaves, and what it takes.

    Args:
        outcome: What it leaves.
        files: Names of all files that it leaves.
        seconds: Processor time of a forked process.
        changes: Number of times that it opens a file for writing, or renames or removes one.
    """

    def __init__(self, outcome: object, files: set[str], seconds: float, changes: int) -> None:
        self.outcome = outcome
        self.files = files
        self.seconds = seconds
        self.changes = changes


class Workshop:
    """A folder of inputs, and runs of commands on them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.random = random.Random(0)
        self._made = 0
        self._references: dict[str, Reference] = {}
        for name in ("cache", "inputs", "runs"):
            (folder / name).mkdir()
        inputs = folder / "inputs"
        table = shipped_table()
        complete = np.flatnonzero(np.isfinite(table.metrics).all(axis=(1, 2, 3, 4)))[:200]
        table.subset(complete).save(inputs / "table.hdf5")
        write_official(table.subset(complete), inputs / "table.tfrecord")
        rng = np.random.default_rng(0)
        labels = np.arange(60) % 3
        images = rng.integers(0, 80, (60, 8, 8)).astype(np.uint8) + 60 * labels[:, None, None]
        np.savez(inputs / "task.npz", images=images.astype(np.uint8), labels=labels)
        (inputs / "small.json").write_text(json.dumps(SMALL), encoding="utf-8")
        (inputs / "grid.json").write_text('[{"hidden": 4}, {"hidden": 8}]', encoding="utf-8")
        shutil.copy(own_predictor.__file__, inputs / "few.py")
        with (inputs / "cells.jsonl").open("w", encoding="utf-8") as file:
            for cell in table.cells[complete]:
                file.write(json.dumps(cell.to_dict()) + "\n")
        (inputs / "networks.py").write_text(NETWORKS, encoding="utf-8")
        configurations = [{"width": w, "depth": d} for w in (2, 4, 6, 8) for d in (1, 2, 3)]
        (inputs / "networks.json").write_text(json.dumps(configurations), encoding="utf-8")
        networks = read_candidates(f"{inputs / 'networks.py'}:build", inputs / "networks.json")
        labels = {"accuracy": np.sqrt(networks.networks.parameters) / 100}
        NetworkTable(networks.networks, networks.names, labels).save(inputs / "networks.hdf5")
        space = find_space("nasbench201")
        texts = space.support.architecture_texts()[:200]
        rows = [f"{text},{0.5 + row / 1000}" for row, text in enumerate(texts)]
        csv = "\n".join(["arch,validation_accuracy", *rows, ""])
        (inputs / "table.csv").write_text(csv, encoding="utf-8")
        read_architectures(inputs / "table.csv", space).table.save(inputs / "table201.hdf5")

    def new_place(self, case: Case) -> Path:
        """A folder with the inputs and a folder ``out`` as the commands ``before`` leave it."""
        self._made += 1
        place = self.folder / "runs" / f"place {self._made}"
        place.mkdir()
        for path in (self.folder / "inputs").iterdir():
            (place / path.name).symlink_to(path)
        ready = self.folder / ("ready " + "-".join(map(str, case.before)).replace("/", ":")[:200])
        if not ready.exists():
            (ready / "out").mkdir(parents=True)
            for path in (self.folder / "inputs").iterdir():
                (ready / path.name).symlink_to(path)
            for arguments in case.before:
                error = self.fork(ready, case, arguments=arguments).wait()
                if error.startswith("error") or "Traceback" in error:
                    raise RuntimeError(error)
        shutil.copytree(ready / "out", place / "out")
        return place

    def spawn(self, place: Path, case: Case, *more: str, **environment: str) -> Running:
        """Start a command in a new process, with further arguments."""
        path = os.pathsep.join([str(ROOT), *filter(None, sys.path)])
        settings = {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", **self._cache(), **environment}
        errors, theirs = os.pipe()
        process = subprocess.Popen(
            [sys.executable, "-c", case.script, *case.arguments, *more],
            cwd=place,
            env={**os.environ, **settings},
            stdout=subprocess.DEVNULL,
            stderr=theirs,
        )
        os.close(theirs)
        process.returncode = 0  # it is waited for by Running
        return Running(process.pid, errors)

    def fork(
        self,
        place: Path,
        case: Case,
        *,
        arguments: tuple[str, ...] | None = None,
        limit: int | None = None,
        unprivileged: bool = False,
        last_change: int | None = None,
        **environment: str,
    ) -> Running:
        """Start a command in a fork of this process, which has imported all that it needs.

        Args:
            place: Where it is run.
            case: The command.
            arguments: Others than those of the case.
            limit: The most bytes that a file may have.
            unprivileged: Without the superuser's right to write everywhere.
            last_change: Kill it before its change of a file of this number; 0 to count them
                in the file ``seen``, which has the imported modules too.
            **environment: Further variables.
        """
        errors, theirs = os.pipe()
        pid = os.fork()
        if pid:
            os.close(theirs)
            return Running(pid, errors)
        code = 1
        try:
            os.chdir(place)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(theirs, 2)
            sys.stdout, sys.stderr = open(1, "w"), open(2, "w")  # noqa: SIM115
            os.environ.update({**self._cache(), **environment})
            if limit is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            if unprivileged:
                version, none = (ctypes.c_uint32 * 2)(CAPABILITIES, 0), (ctypes.c_uint32 * 6)()
                ctypes.CDLL(None).capset(version, none)
            sys.argv = ["pyg-nas", *(case.arguments if arguments is None else arguments)]
            sys.path.insert(0, "")
            if last_change is None:
                exec(case.script, {"__name__": "__main__"})
            else:
                with _watched(place, last_change):
                    exec(case.script, {"__name__": "__main__"})
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        except BaseException:
            traceback.print_exc()
        finally:
            with suppress(OSError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def _cache(self) -> dict[str, str]:
        return {"PYG_NAS_CACHE": str(self.folder / "cache")}

    def reference(self, name: str) -> Reference:
        """What two undisturbed runs of a case leave, which must be equal."""
        if name in self._references:
            return self._references[name]
        case = CASES[name]
        found: list[tuple[object, set[str]]] = []
        for _ in range(2):  # the first one fills the cache
            place = self.new_place(case)
            running = self.fork(place, case, last_change=0)
            error = running.wait()
            if running.returncode:
                raise RuntimeError(f"{name}: exit code {running.returncode}: {error[-2000:]}")
            found.append((case.outcome(place / "out"), files(place / "out")))
            changes, modules = json.loads((place / "seen").read_text())
            # A forked process starts with what this one has imported: a tenth of the time.
            for module in modules:
                with suppress(Exception):
                    importlib.import_module(module)
        if found[0] != found[1]:
            raise RuntimeError(f"{name}: undisturbed runs differ: {found}")
        self._references[name] = Reference(*found[0], running.cpu_seconds, changes)
        return self._references[name]

    def finish(self, place: Path, name: str, running: Running | None = None) -> list[str]:
        """Run a case to its end; return how it differs from an undisturbed run."""
        running = running or self.fork(place, CASES[name])
        error = running.wait()
        if running.returncode:
            return [f"not resumed: exit code {running.returncode}: {error[-300:]}"]
        return self.compared(name, place)

    def compared(self, name: str, place: Path) -> list[str]:
        """How a finished run differs from an undisturbed one."""
        reference = self.reference(name)
        found = files(place / "out")
        wrong = [f"stray file: {file}" for file in sorted(found - reference.files)]
        wrong += [f"lost file: {file}" for file in sorted(reference.files - found)]
        if CASES[name].outcome(place / "out") != reference.outcome:
            wrong.append(f"another result in {place.name}")
        return wrong

    def discard(self, place: Path, wrong: list[str]) -> None:
        """Delete a folder in which nothing was found."""
        if not wrong:
            shutil.rmtree(place)


@contextmanager
def _watched(place: Path, last_change: int) -> Iterator[None]:
    """Count the changes of files in a folder, and kill this process before one of them."""
    done = 0
    before = set(sys.modules)

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal done
        if event == "open":
            path, _, flags = arguments
            if not isinstance(path, str) or not (flags or 0) & (os.O_WRONLY | os.O_RDWR):
                return
            if path.startswith("/") and not path.startswith(str(place)):
                return
        elif event not in CHANGES:
            return
        done += 1
        if done == last_change:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    try:
        yield
    finally:
        if last_change == 0:
            seen = [done, sorted(set(sys.modules) - before)]
            (place / "seen").write_text(json.dumps(seen))


def files(out: Path) -> set[str]:
    """Names of all files in a folder."""
    return {str(path.relative_to(out)) for path in out.rglob("*") if not path.is_dir()}


def is_temporary(path: Path) -> bool:
    """Whether it is named as files are that are not finished, or is in a folder that is."""
    return any(
        part.startswith(".") and (".part" in part or part.endswith(".folder"))
        for part in path.parts
    )


def half_written(out: Path) -> list[str]:
    """Files with a final name that cannot be read; the last line of records may be torn."""
    found = []
    for path in sorted(out.rglob("*")):
        if path.is_dir() or is_temporary(path.relative_to(out)) or path.name.endswith(".lock"):
            continue
        try:
            READERS.get(path.suffix, lambda _: None)(path)
        except Exception as error:
            found.append(f"half-written file: {path.relative_to(out)}: {error!r}")
    return found


def _read_lines(path: Path) -> None:
    for line in path.read_bytes().split(b"\n")[:-1]:
        json.loads(line)


def _read_table(path: Path) -> None:
    from pyg_nas.data.tables.sources import open_any_table
    from pyg_nas.data.tables.table import Table

    table = open_any_table(path)
    if isinstance(table, Table):
        table.check()


def _read_journal(path: Path) -> None:
    import sqlite3
    import tempfile

    with tempfile.TemporaryDirectory() as folder:  # a copy, because reading it can mend it
        for file in path.parent.glob(f"{path.name}*"):
            shutil.copy(file, folder)
        connection = sqlite3.connect(Path(folder) / path.name)
        answer = connection.execute("PRAGMA integrity_check").fetchone()
        connection.close()
    if answer != ("ok",):
        raise ValueError(answer)


def _read_weights(path: Path) -> None:
    from safetensors.numpy import load

    load(path.read_bytes())


def _read_tensors(path: Path) -> None:
    import torch

    torch.load(path, weights_only=True)


def _read_image(path: Path) -> None:
    from PIL import Image

    Image.open(path).load()


def _read_onnx(path: Path) -> None:
    import onnx

    onnx.checker.check_model(onnx.load(path))


def _read_archive(path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(path) as archive:
        if archive.testzip() is not None:
            raise ValueError("damaged")


def _ends(end: bytes) -> Callable[[Path], None]:
    def read(path: Path) -> None:
        if not path.read_bytes().rstrip().endswith(end):
            raise ValueError(f"does not end with {end!r}")

    return read


READERS: dict[str, Callable[[Path], Any]] = {
    ".json": lambda path: json.loads(path.read_bytes()),
    ".jsonl": _read_lines,
    ".hdf5": _read_table,
    ".sqlite": _read_journal,
    ".safetensors": _read_weights,
    ".pt": _read_tensors,
    ".png": _read_image,
    ".onnx": _read_onnx,
    ".pt2": _read_archive,
    ".npz": _read_archive,
    ".pdf": _ends(b"%%EOF"),
    ".svg": _ends(b"</svg>"),
    ".html": _ends(b"</html>"),
}
