from __future__ import annotations

import numpy as np

from pyg_nas.visualization.charts import Boxes, group_order


def test_groups_are_sorted_as_numbers() -> None:
    boxes = Boxes("n", ["10", "9", "x", "2.5"], np.zeros((4, 5)), [1] * 4, 0)
    assert group_order([boxes]) == ["2.5", "9", "10", "x"]
