"""The space of NAS-Bench-101 as data (Ying et al., arXiv:1902.09635)."""

from pyg_nas.graphs.search_space import SearchSpace

NASBENCH101 = SearchSpace(
    name="nasbench101",
    operations=("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3"),
    max_vertices=7,
    max_edges=9,
    terminals=("output", "input"),
)
"""The space of NAS-Bench-101 (Ying et al., arXiv:1902.09635): 423,624 cells."""

NUM_NASBENCH101_CELLS = 423_624

NASBENCH101_BUDGETS = (4, 12, 36, 108)
"""Epochs of the official training runs."""

CONVOLUTIONS = (0, 1)
MAX_POOLING = 2
"""Ids of the operations by kind."""
