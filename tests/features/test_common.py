"""Common features mean the same in every space."""

from __future__ import annotations

import numpy as np

from pyg_nas.features.common import COMMON_FEATURES, common_features
from pyg_nas.features.graph_features import cell_features
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.spaces.nasbench101 import NASBENCH101 as SPACE101
from pyg_nas.spaces.nasbench101.support import SUPPORT as NASBENCH101
from pyg_nas.spaces.nasbench201.support import SUPPORT as NASBENCH201


def test_one_graph_drawn_in_two_spaces() -> None:
    """Input, 3x3 convolution, pooling, output."""
    chain = Cell(np.eye(4, k=1, dtype=int).tolist(), [-1, 0, 2, -2], SPACE101)
    text = "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|avg_pool_3x3~1|none~2|"
    found = [
        common_features(cell.space, cell_features(CellArray.from_cells([cell])))[0]
        for cell in (chain, NASBENCH201.from_text(text))
    ]
    size = COMMON_FEATURES.index("log parameters")
    np.testing.assert_allclose(*(np.delete(f, size) for f in found), rtol=1e-6)
    assert len(found[0]) == len(COMMON_FEATURES)
    assert found[0][COMMON_FEATURES.index("number of conv3x3")] == 1
    assert found[0][COMMON_FEATURES.index("longest convolutions")] == 1
    assert NASBENCH101.common_operations.keys() == NASBENCH201.common_operations.keys()
