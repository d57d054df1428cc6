from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.image import imread

from pyg_nas.errors import SettingsError
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.visualization.cells import cell_svg, operation_colour, operation_label, text_colour

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = ('</script><img onerror="x">', "$\\frac{", "a & b", "名前", "x" * 200)


@pytest.fixture
def cell() -> Cell:
    return Cell(
        [[0, 1, 1, 1], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]],
        ["input", "conv3x3-bn-relu", "maxpool3x3", "output"],
    )


@pytest.fixture
def hostile_graph() -> Cell:
    space = SearchSpace("hostile", HOSTILE, 9, 36)
    return Cell(np.triu(np.ones((5, 5)), 1), list(HOSTILE), space)


def test_the_svg_is_well_formed_and_says_each_operation(cell: Cell) -> None:
    root = ElementTree.fromstring(cell_svg(cell))
    assert root.tag == f"{SVG}svg"
    assert [text.text for text in root.iter(f"{SVG}text")] == [
        "input",
        "conv 3×3",
        "max pool 3×3",
        "output",
    ]
    assert len(list(root.iter(f"{SVG}rect"))) == cell.num_vertices
    assert len(list(root.iter(f"{SVG}path"))) == 2 * cell.num_edges
    title = root.find(f"{SVG}title")
    assert title is not None
    assert title.text == repr(cell)


def test_names_in_the_svg_stay_text(hostile_graph: Cell) -> None:
    svg = cell_svg(hostile_graph)
    assert "<img" not in svg
    assert "</script" not in svg
    texts = [text.text for text in ElementTree.fromstring(svg).iter(f"{SVG}text")]
    assert texts[2:4] == ["a & b", "名前"]


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
        colour = operation_colour(operation_id)
        assert tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5)) in found


@pytest.mark.filterwarnings("ignore:Glyph:UserWarning")
def test_any_vocabulary_is_drawn(hostile_graph: Cell, tmp_path: Path) -> None:
    hostile_graph.draw(tmp_path / "cell.png")
    assert imread(tmp_path / "cell.png").std() > 0


def test_another_ending_is_refused_by_name(cell: Cell, tmp_path: Path) -> None:
    for name in ("cell.txt", "cell"):
        with pytest.raises(SettingsError, match=f"'{name}' must end in svg, png, pdf"):
            cell.draw(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_labels_fit_and_contrast() -> None:
    assert operation_label("maxpool3x3") == "max pool 3×3"
    assert operation_label("x" * 24) == "x" * 24
    assert operation_label("x" * 25) == "x" * 23 + "…"
    assert text_colour("#000000") == "#FFFFFF"
    assert text_colour("#FFFFFF") == "#111111"
    assert len({operation_colour(i) for i in range(8)}) == 8
