"""Scalars of NumPy become those of Python."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyg_nas.io.plain_scalar import plain_scalar


@pytest.mark.parametrize(
    ("scalar", "plain"),
    [(np.uint8(3), 3), (np.float32(0.5), 0.5), (np.True_, True), (np.str_("a"), "a")],
)
def test_scalars_have_the_types_of_python(scalar: Any, plain: Any) -> None:
    found = plain_scalar(scalar)
    assert type(found) is type(plain)
    assert found == plain


def test_other_values_are_kept() -> None:
    for value in (None, [np.int64(1)], np.zeros(2), 3):
        assert plain_scalar(value) is value
