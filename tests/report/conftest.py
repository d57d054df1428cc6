"""Reports on small models and searches, made once, and a browser to open them in."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyg_nas.data.protocols.protocol import Protocol
from pyg_nas.data.tables.table import Table
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.predictors.gnn.gcn import GCNRegressor
from pyg_nas.predictors.trained import TrainedPredictor
from pyg_nas.report import write_report
from pyg_nas.report.search_facts import SearchFacts
from pyg_nas.report.search_summary import write_search_summary
from pyg_nas.search.evaluators.table import TableEvaluator
from pyg_nas.search.loop import search
from pyg_nas.search.methods.strategies import RandomSearch
from pyg_nas.search.search_folder.folder import SearchFolder
from tests.report.reader import Reader

# Everything a name can do wrong in markup, in a script, in an attribute and in a template.
HOSTILE = "</script><img src=x onerror=\"document.title='owned'\">'{{title}}&amp;${1}"

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def make_table(n: int = 160, about: dict[str, Any] | None = None) -> Table:
    """Cells whose accuracy grows with their parameters, from below to above 90 %."""
    cells = sample_cells(n, seed=11)
    rng = np.random.default_rng(0)
    size = np.log10(cells.trainable_parameters())
    quality = 0.86 + 0.05 * (size - size.min()) + rng.normal(0, 0.004, n)
    metrics = np.empty((n, 1, 2, 2, 4), dtype=np.float32)
    metrics[:] = np.clip(quality, 0, 1)[:, None, None, None, None]
    metrics[..., 0] = 1000.0 * size[:, None, None, None]
    return Table(cells, metrics, budgets=(12,), about=about or {"task": "made up"})


def make_model(table: Table, recipe: str = "paper") -> TrainedPredictor:
    """A model of a few seconds, fitted on half of the table."""
    protocol = Protocol(train=str(len(table) // 2))
    split = protocol.apply(table)
    estimator = GCNRegressor(hidden=12, head=8, epochs=25, learning_rate=3e-3, device="cpu")
    estimator.fit(table.cells[split.train], split.train_labels)
    return TrainedPredictor(estimator, recipe, protocol, table.hashes[split.train])


@pytest.fixture(scope="session")
def model_source(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A model folder and its table, with hostile names wherever a file can have one."""
    folder = tmp_path_factory.mktemp("model")
    table = make_table(about={HOSTILE: HOSTILE, "task": HOSTILE})
    table.save(folder / "table.hdf5")
    make_model(table, recipe=HOSTILE).save(folder / "model")
    return folder / "model", folder / "table.hdf5"


@pytest.fixture(scope="session")
def model_report(model_source: tuple[Path, Path]) -> Path:
    out = model_source[0].parent / "report.html"
    write_report(*model_source, out)
    return out


@pytest.fixture(scope="session")
def page(model_report: Path) -> Reader:
    return Reader(model_report.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def search_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished search; some queries say what was predicted."""
    folder = tmp_path_factory.mktemp("search") / "search"
    table = make_table()
    evaluator, strategy = TableEvaluator(table), RandomSearch()
    settings = {"strategy": strategy.describe(), "evaluator": evaluator.describe(), "seed": 5}
    record = SearchFolder(folder, settings, table.space)
    facts = SearchFacts(search(strategy, evaluator, 40, 5, folder=record))
    write_search_summary(folder, facts, record.settings)
    return folder


@pytest.fixture(scope="session")
def search_report(search_source: Path) -> Path:
    out = search_source.parent / "report.html"
    write_report(search_source, None, out)
    return out


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A real headless Chromium."""
    sync_api = pytest.importorskip("playwright.sync_api")
    found = [path for name in BROWSERS if (path := shutil.which(name))]
    if not found:
        pytest.skip("no Chromium is installed")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=found[0], headless=True, args=list(FLAGS)
        )
        yield started
        started.close()
