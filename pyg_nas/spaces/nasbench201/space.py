"""The space of NAS-Bench-201 as data (Dong and Yang, arXiv:2001.00326)."""

from pyg_nas.graphs.search_space import SearchSpace

NASBENCH201 = SearchSpace(
    name="nasbench201",
    operations=("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"),
    max_vertices=8,
    max_edges=10,
    terminals=("output", "input"),
)
"""The space of NAS-Bench-201: 15,625 architectures, 5,390 different cells."""

NUM_NASBENCH201_CELLS = 5_390

NASBENCH201_BUDGETS = (12, 200)
"""Epochs of the official training runs."""
