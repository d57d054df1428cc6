"""Text forms of TransNAS-Bench-101 architectures."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from pyg_nas.errors import CellError
from pyg_nas.spaces.transnasbench101.text_form import format_text, parse_text
from tests.conftest import shared_file


def test_by_hand() -> None:
    assert format_text([3, 1, 0, 2, 3, 1]) == "64-41414-3_10_231"
    assert parse_text(" 64-41414-3_10_231\n") == [3, 1, 0, 2, 3, 1]


def test_texts_are_the_published_ones() -> None:
    with h5py.File(shared_file("transnasbench101.hdf5")) as file:
        texts, operations = file["arch_str"][:].astype(str), file["operations"][:]
    assert np.array_equal([parse_text(text) for text in texts], operations)
    assert [format_text(row) for row in operations.tolist()] == texts.tolist()


@pytest.mark.parametrize(
    "text", ["", "64-41414-3_10_23", "64-41414-4_10_231", "64-41414-3_10_2310", "32-1-3_10_231"]
)
def test_other_texts_are_quoted(text: str) -> None:
    with pytest.raises(CellError, match=r"written as 64-41414-a_bc_def .*, got '"):
        parse_text(text)
