"""Fixtures that several test modules share."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pyg_nas import testing
from pyg_nas.data.tables.table import Table
from pyg_nas.io.locks import SignedLock
from tests import own_space


def pytest_configure(config: pytest.Config) -> None:
    """Keep what is computed once in the folder of pytest's cache, and not in the user's."""
    # Also where pytest's own cache is switched off.
    os.environ["PYG_NAS_CACHE"] = str(config.rootpath / ".pytest_cache" / "d" / "pyg_nas")


def shared_file(name: str) -> Path:
    """Return a file of real measurements beside the repository; the test is skipped without it."""
    path = Path(__file__).parents[2] / "shared" / "data" / name
    if not path.exists():
        pytest.skip(f"the real measurements ../shared/data/{name} are not here")
    return path


@pytest.fixture(scope="session")
def real_table_path() -> Path:
    """The file of 20,001 real NAS-Bench-101 cells, where it lies beside the repository."""
    return shared_file("nasbench101_20k.hdf5")


@pytest.fixture(scope="session")
def real_table(real_table_path: Path) -> Table:
    """The 20,001 real NAS-Bench-101 cells."""
    table = Table.load(real_table_path)
    table.metrics.flags.writeable = False  # tests share it
    return table


@pytest.fixture(scope="session")
def small_table() -> Table:
    """300 random cells with made-up but structured accuracies; nothing is missing but run 2."""
    table = testing.small_table()
    table.metrics.flags.writeable = False  # tests share it
    return table


@pytest.fixture
def only_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Wait until no other process of this run has a cluster of Ray."""
    root = tmp_path_factory.getbasetemp()
    shared = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    with SignedLock(shared / "ray.lock", "another process has a cluster of Ray", None).held():
        yield


@contextmanager
def undrawn() -> Iterator[pytest.MonkeyPatch]:
    """Leave out what matplotlib does to draw a figure: most of the time of a short search."""
    with pytest.MonkeyPatch.context() as patch:
        savefig = "matplotlib.figure.Figure.savefig"
        patch.setattr(savefig, lambda _, file, **__: file.write(b"not drawn"))
        yield patch


@pytest.fixture(name="undrawn")
def undrawn_pictures() -> Iterator[pytest.MonkeyPatch]:
    """See :func:`undrawn`; a test that looks at pictures undoes it."""
    with undrawn() as patch:
        yield patch


@pytest.fixture
def space_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A user's file of a space with a pretrained stem; what is registered is forgotten."""
    path = tmp_path / "users_space.py"
    path.write_text(own_space.SOURCE)
    own_space.write_stem(tmp_path / "stem.pt")
    own_space.forget(monkeypatch)
    yield path
    own_space.forget(monkeypatch)
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]
