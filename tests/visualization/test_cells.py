from __future__ import annotations

import cProfile
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.image import imread
from numpy.typing import NDArray

from pyg_nas.errors import SettingsError
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.spaces.nasbench101 import NASBENCH101
from pyg_nas.visualization.cells import (
    cell_svg,
    graph_drawing,
    operation_colour,
    operation_label,
    text_colour,
)
from pyg_nas.visualization.drawing import svg

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = (
    "\x1b[31m\u202e\udcff",
    '</script><img onerror="x">',
    "$\\frac{",
    "a & b",
    "名前",
    "x" * 200,
)


@pytest.fixture
def cell() -> Cell:
    return Cell(
        [[0, 1, 1, 1], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]],
        ["input", "conv3x3-bn-relu", "maxpool3x3", "output"],
    )


@pytest.fixture
def hostile_graph() -> Cell:
    space = SearchSpace("hostile", HOSTILE, 9, 36)
    return Cell(np.triu(np.ones((6, 6)), 1), list(HOSTILE), space)


def test_the_svg_is_well_formed_and_names_each_operation(cell: Cell) -> None:
    root = ElementTree.fromstring(cell_svg(cell))
    assert root.tag == f"{SVG}svg"
    assert [text.text for text in root.iter(f"{SVG}text")] == [
        "input",
        "conv 3×3",
        "max pool 3×3",
        "output",
    ]
    assert len(list(root.iter(f"{SVG}rect"))) == cell.num_vertices
    lines, heads = (path.attrib["d"] for path in root.iter(f"{SVG}path"))
    assert lines.count("M") == heads.count("M") == cell.num_edges
    title = root.find(f"{SVG}title")
    assert title is not None
    assert f"Cell({title.text})" == repr(cell)


def test_names_in_the_svg_stay_text(hostile_graph: Cell) -> None:
    svg = cell_svg(hostile_graph)
    assert "<img" not in svg
    assert "</script" not in svg
    texts = [text.text for text in ElementTree.fromstring(svg).iter(f"{SVG}text")]
    assert texts[0] == "\\x1b[31m\\u202e\\udcff"
    assert texts[3:5] == ["a & b", "名前"]


@pytest.mark.parametrize("ending", ["svg", "png", "pdf", "PNG"])
def test_a_cell_is_drawn_into_a_file(cell: Cell, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"cell.{ending}"
    cell.draw(path)
    start = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}[ending.lower()]
    assert path.read_bytes().startswith(start)
    assert len(list(tmp_path.iterdir())) == 1


def test_the_png_shows_the_colours_of_the_operations(cell: Cell, tmp_path: Path) -> None:
    cell.draw(tmp_path / "cell.png")
    pixels = np.round(imread(tmp_path / "cell.png")[..., :3] * 255).astype(int).reshape(-1, 3)
    found = {tuple(pixel) for pixel in pixels.tolist()}
    for operation_id in cell.operation_ids.tolist():
        colour = operation_colour(operation_id, cell.space)
        assert tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5)) in found


@pytest.mark.filterwarnings("ignore:Glyph:UserWarning")
def test_any_vocabulary_is_drawn(hostile_graph: Cell, tmp_path: Path) -> None:
    hostile_graph.draw(tmp_path / "cell.png")
    assert imread(tmp_path / "cell.png").std() > 0


def test_another_ending_is_refused_by_name(cell: Cell, tmp_path: Path) -> None:
    for name in ("cell.txt", "cell"):
        with pytest.raises(SettingsError, match=f"'{name}' must end in .svg, .png, .pdf"):
            cell.draw(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_labels_fit_and_contrast() -> None:
    assert operation_label("maxpool3x3", NASBENCH101) == "max pool 3×3"
    assert operation_label("x" * 24, NASBENCH101) == "x" * 24
    assert operation_label("x" * 25, NASBENCH101) == "x" * 23 + "…"
    assert text_colour("#000000") == "#FFFFFF"
    assert text_colour("#FFFFFF") == "#111111"
    assert len({operation_colour(i, SPACE) for i in range(8)}) == 8
    assert operation_colour(8, SPACE) == operation_colour(0, SPACE)


SPACE = SearchSpace("large", tuple(f"operation {k}" for k in range(12)), 127, 10**4)


def _random_graph(size: int, edges: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    pairs = np.sort(rng.integers(0, size, (edges, 2)), axis=1)
    pairs = np.unique(pairs[pairs[:, 0] < pairs[:, 1]], axis=0)
    return rng.integers(0, 12, size), pairs


@given(
    size=st.integers(1, 5_000),
    density=st.sampled_from([0.0, 0.5, 1.0, 1.5, 8.0, 40.0]),
    seed=st.integers(0, 10),
)
@settings(max_examples=20, deadline=None)
def test_the_work_for_a_drawing_is_bounded(size: int, density: float, seed: int) -> None:
    operations, edges = _random_graph(size, int(size * density), seed)
    profile = cProfile.Profile()
    profile.enable()
    drawing = graph_drawing(operations, edges, SPACE)
    profile.disable()
    assert sum(entry.callcount for entry in profile.getstats()) < 2_000_000
    assert len(drawing.boxes) <= 400
    assert len(drawing.routes) <= 1_000
    for box in drawing.boxes:
        assert box.centre[0] - box.width / 2 >= 0
        assert box.centre[0] + box.width / 2 <= drawing.width
        assert 0 < box.centre[1] < drawing.height


@pytest.mark.parametrize(
    "edges",
    [
        pytest.param([[u, v] for u in range(30) for v in range(30, 60)], id="two full layers"),
        pytest.param([[u, v] for u in range(127) for v in range(u + 1, 127)], id="all edges"),
        pytest.param([[u, u + 40] for u in range(87)], id="long chains"),
    ],
)
def test_graphs_that_are_hard_to_draw(edges: list[list[int]]) -> None:
    size = max(map(max, edges)) + 1
    drawing = graph_drawing(np.arange(size) % 12, np.array(edges), SPACE)
    ElementTree.fromstring(svg(drawing))
    assert f"{size} vertices" in drawing.title


def test_chains_of_a_large_graph_are_folded() -> None:
    # 0 to 39 in a row, then two ways of 10 and 20 vertices that meet in the last one.
    edges = [[v, v + 1] for v in range(39)] + [[39, 40], [39, 50]]
    edges += [[v, v + 1] for v in (*range(40, 49), *range(50, 69))] + [[49, 70], [69, 70]]
    operations = np.array([0] * 40 + [1] * 10 + [2, 3] * 10 + [4])
    drawing = graph_drawing(operations, np.array(sorted(edges)), SPACE)
    assert [box.label for box in drawing.boxes] == [
        "40 × operation 0",
        "10 × operation 1",
        "operation 2 … operation 3 (20)",
        "operation 4",
    ]
    assert len(drawing.routes) == 4


def test_branches_without_repeats_are_drawn_up_to_150_boxes() -> None:
    operations = np.random.default_rng(0).integers(0, 12, 4 * 60)
    for blocks, drawn in ((45, True), (60, False)):
        edges = [[4 * b, 4 * b + k] for b in range(blocks) for k in (1, 2)]
        edges += [[4 * b + k, 4 * b + 3] for b in range(blocks) for k in (1, 2)]
        edges += [[4 * b + 3, 4 * b + 4] for b in range(blocks - 1)]
        drawing = graph_drawing(operations[: 4 * blocks], np.array(sorted(edges)), SPACE)
        assert bool(drawing.routes) == drawn
        if drawn:
            assert 110 < len(drawing.boxes) <= 150


def test_an_overview_counts_every_vertex() -> None:
    operations, edges = _random_graph(5_000, 10_000, 0)
    drawing = graph_drawing(operations, edges, SPACE)
    assert not drawing.routes
    (operation, count), *_ = Counter(operations.tolist()).most_common(1)
    shown = [words.text for words in drawing.words[1:]]
    assert shown[0] == f"operation {operation}: {count}"
    assert sum(int(text.rsplit(": ", 1)[1].replace(",", "")) for text in shown) == 5_000
