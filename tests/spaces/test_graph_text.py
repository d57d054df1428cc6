from __future__ import annotations

import pytest

from pyg_nas.errors import CellError
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.graphs.search_space import SearchSpace


def test_the_text_of_a_cell_by_hand() -> None:
    cell = Cell([[0, 1, 1], [0, 0, 1], [0, 0, 0]], ["input", "maxpool3x3", "output"])
    assert cell.to_text() == "011001000:input,maxpool3x3,output"
    assert Cell.from_text("011001000:input,maxpool3x3,output") == cell


def test_text_goes_both_ways() -> None:
    for cell in sample_cells(200, seed=4):
        again = Cell.from_text(cell.to_text())
        assert again.edges == cell.edges
        assert again.operations == cell.operations


def test_texts_of_many_cells_are_those_of_each() -> None:
    cells = sample_cells(300, seed=4)
    for array in (cells, CellArray.from_cells(cells), cells[:0]):  # padded, as edge lists, empty
        texts = array.space.support.to_texts(array)
        assert [text.decode() for text in texts] == [cell.to_text() for cell in array]


def test_texts_of_more_operations_than_a_byte_has_values() -> None:
    space = SearchSpace("many", tuple(f"op{n}" for n in range(600)), 5, 8, ("output", "input"))
    chain = [(0, 1), (1, 2), (2, 3)]
    pairs = [(0, 256), (256, 0), (0, 256), (255, 511), (599, 1)]
    cells = CellArray.from_cells(Cell.from_edges(chain, [-1, *pair, -2], space) for pair in pairs)
    texts = space.support.to_texts(cells)
    assert [text.decode() for text in texts] == [cell.to_text() for cell in cells]


def test_a_drawing_with_dead_ends_is_read_as_its_cell() -> None:
    assert Cell.from_text("001000000:input,maxpool3x3,output").num_vertices == 2


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "V\\*V digits"),
        ("01:input,output", "V\\*V digits"),
        ("0200:input,output", "V\\*V digits"),
        ("0100 input,output", "V\\*V digits"),
        ("0" * 70_000 + ":input", "V\\*V digits"),
        ("0100:input", "one operation per vertex"),
        ("0100:input,pool", "'pool' at vertex 1 is not in space"),
        ("0010:input,output", "upper triangular"),
        ("|nor_conv_3x3~0|", "V\\*V digits"),
    ],
)
def test_a_text_that_is_no_cell_is_refused(text: str, match: str) -> None:
    with pytest.raises(CellError, match=match):
        Cell.from_text(text)


@pytest.mark.parametrize(
    ("space", "has_text"),
    [
        (SearchSpace("unknown", ("a", "b"), 5, 7, ("output", "input")), True),
        (SearchSpace("unknown", ("a", "b"), 5, 7), False),  # no input, no output
        (SearchSpace("unknown", ("a,b",), 5, 7, ("output", "input")), False),
        (SearchSpace("unknown", ("a", "b"), 65, 70, ("output", "input")), False),  # too long
    ],
)
def test_a_space_without_its_file_has_texts_that_can_be_read(
    space: SearchSpace, has_text: bool
) -> None:
    assert space.support.has_text_form == has_text
    if has_text:
        cell = Cell.from_text("010001000:input,b,output", space)
        assert cell.operations == ("input", "b", "output")
        assert cell.to_text() == "010001000:input,b,output"
