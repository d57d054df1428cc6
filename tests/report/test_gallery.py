"""The cells that a report draws."""

from __future__ import annotations

import numpy as np

from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.report.gallery import Gallery
from pyg_nas.spaces.nasbench101 import NASBENCH101


def test_the_gallery_keeps_graphs_once() -> None:
    gallery = Gallery(NASBENCH101, ["x"])
    cells = sample_cells(60, seed=1)
    numbers = [gallery.add(cell, ["1"]) for cell in cells]
    assert numbers == list(range(60))
    assert gallery.add(cells[3], ["2"]) == 60  # a copy has figures of its own
    described = gallery.to_dict()
    assert [described["cells"][i]["f"] for i in (3, 60)] == [["1"], ["2"]]
    assert len(described["drawings"]) == len({cell.adjacency.tobytes() for cell in cells})
    for cell, record in zip([*cells, cells[3]], described["cells"], strict=True):
        assert record["h"] == cell.hash
        labels = [described["operations"][column]["label"] for column in record["o"]]
        assert labels[0] == "input"
        assert described["drawings"][record["g"]].count("<rect") == cell.num_vertices
    assert {drawing.count("<svg") for drawing in described["drawings"]} == {1}
    plain = Gallery(SearchSpace("p", ("a",), 2, 1), [])
    plain.add(Cell([[0]], ["a"], plain.space), [])
    assert plain.to_dict()["operations"][0]["label"] == "a"


def test_a_large_graph_is_drawn_with_its_own_labels() -> None:
    space = SearchSpace("large", ("a", "b"), 100, 99)
    chain = np.eye(100, k=1, dtype=np.int8)
    gallery = Gallery(space, [])
    for operations in (["a"] * 100, ["b"] * 100):
        gallery.add(Cell(chain, operations, space), [])
    described = gallery.to_dict()
    assert [record["o"] for record in described["cells"]] == [[], []]
    assert ["a [×99]" in text for text in described["drawings"]] == [True, False]
