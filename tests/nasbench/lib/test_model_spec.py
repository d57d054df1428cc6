"""What scripts import from the official package's model_spec."""

from __future__ import annotations

import numpy as np
import pytest

from pyg_nas.nasbench.lib.config import build_config
from pyg_nas.nasbench.lib.model_spec import ModelSpec, is_upper_triangular


def test_upper_triangular_is_zero_on_and_below_the_diagonal() -> None:
    assert is_upper_triangular(np.triu(np.ones((4, 4)), 1))
    assert not is_upper_triangular(np.eye(3))
    assert not is_upper_triangular([[0, 0], [1, 0]])


@pytest.mark.parametrize("copies", range(3))
def test_isomorphic_specs_have_one_hash(copies: int) -> None:
    ops = build_config()["available_ops"]
    one = ModelSpec(
        [[0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]], ["input", *ops[:2], "output"]
    )
    matrix = np.zeros((4 + copies, 4 + copies), int)
    last = 3 + copies
    matrix[0, [1, 2]] = matrix[[1, 2], last] = 1  # vertices between 2 and the last are dead
    labels = ["input", *ops[1::-1], *["dead"] * copies, "output"]
    assert ModelSpec(matrix, labels).hash_spec(ops) == one.hash_spec(ops)
