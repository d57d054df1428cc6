"""What a notebook shows."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np

from pyg_nas.data.tables.table import Table
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.search.ask_tell import Search
from pyg_nas.search.evaluators.table import TableEvaluator
from pyg_nas.search.loop import search
from pyg_nas.search.methods.strategies import RandomSearch
from pyg_nas.visualization.notebook import figures_html

SVG = "{http://www.w3.org/2000/svg}svg"
HOSTILE = "</td><script>\x1b[31m\u202e\udcff"


def _shown(thing: object) -> ElementTree.Element:
    return ElementTree.fromstring(thing._repr_html_())  # type: ignore[attr-defined]


def test_cells_tables_and_searches_draw_their_first_rows() -> None:
    cells = sample_cells(8, seed=0)
    metrics = np.random.default_rng(0).uniform(size=(8, 1, 1, 2, 4)).astype(np.float32)
    table = Table(cells, metrics, budgets=(4,))
    result = search(RandomSearch(), TableEvaluator(table), 7)
    assert len(list(_shown(cells[0]).iter(SVG))) == 1
    for thing, more in ((cells, 3), (table, 3), (result, 2)):
        shown = _shown(thing)
        assert len(list(shown.iter(SVG))) == 5
        assert f"… {more} more" in "".join(shown.itertext())
    best = max(query.outcome.accuracy for query in result.history)
    assert f"{best:.4g}" in [cell.text for cell in _shown(result).findall(".//tr[1]/td")]


def test_an_open_search_draws_what_it_hands_out_and_what_it_has_found() -> None:
    own = Search(None, "nasbench101", method="random")
    first, second = own.ask(2)
    shown = _shown(first)
    assert len(list(shown.iter(SVG))) == 1
    assert first.parameters is not None
    assert f"{first.parameters:,}" in list(shown.itertext())
    own.tell(first.id, accuracy=0.91239)
    assert own.best is not None
    assert {"0.9124", f"{first.parameters:,}"} <= set(_shown(own.best).itertext())
    assert "seconds" not in list(_shown(own.best).itertext())  # not told
    whole = _shown(own)
    assert len(list(whole.iter(SVG))) == 1
    assert "Search(memory, 1 pending, SearchResult(1 trained cell" in "".join(whole.itertext())
    assert [candidate.id for candidate in own.pending()] == [second.id]


def test_counts_of_figures_are_exact() -> None:
    shown = ElementTree.fromstring(figures_html("all", {"n": 423_624, "kendall_tau": 0.65512}))
    assert [cell.text for cell in shown.findall(".//td")] == [
        "n",
        "423,624",
        "kendall tau",
        "0.6551",
    ]


def test_names_in_a_notebook_stay_text() -> None:
    space = SearchSpace(HOSTILE, (HOSTILE,), 1, 0)
    cell = Cell([[0]], [HOSTILE], space)
    for thing in (cell, CellArray.from_cells([cell])):
        text = "".join(_shown(thing).itertext())
        assert "</td><script>\\x1b[31m" in text
        assert "\x1b" not in text
