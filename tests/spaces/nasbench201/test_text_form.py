"""Text forms of NAS-Bench-201 architectures."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from pyg_nas.errors import CellError
from pyg_nas.spaces.nasbench201.text_form import format_text, parse_text
from tests.conftest import shared_file

TEXT = "|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_1x1~1|nor_conv_3x3~2|"


def test_by_hand() -> None:
    operations = [3, 0, 4, 1, 2, 3]
    assert format_text(operations) == TEXT
    assert parse_text(f" {TEXT}\n") == operations


def test_texts_are_the_published_ones() -> None:
    with h5py.File(shared_file("nasbench201.hdf5")) as file:
        texts, operations = file["arch_str"][:].astype(str), file["operations"][:]
    assert np.array_equal([parse_text(text) for text in texts], operations)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "|none~0|",
        TEXT[:-1],
        TEXT + "+",
        TEXT.replace("~2", "~1"),
        TEXT.replace("|+|", "|"),
        TEXT + "+|none~0|none~1|none~2|none~3|",
        "64-41414-0_00_000",
    ],
)
def test_other_texts_are_quoted(text: str) -> None:
    with pytest.raises(CellError, match=r"is written as \|op~0\|\+.*, got '"):
        parse_text(text)


def test_an_unknown_operation_is_named() -> None:
    with pytest.raises(CellError, match=r"operation 'sep_conv' in .* is not one of 'nasbench201'"):
        parse_text(TEXT.replace("none", "sep_conv"))
