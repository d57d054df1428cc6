"""The micro space of TransNAS-Bench-101 as data (Duan et al., arXiv:2105.11871)."""

from pyg_nas.graphs.search_space import SearchSpace

TRANSNASBENCH101 = SearchSpace(
    name="transnasbench101",
    operations=("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3"),
    max_vertices=8,
    max_edges=10,
    terminals=("output", "input"),
)
"""The micro space of TransNAS-Bench-101: 4,096 architectures."""

NUM_TRANSNASBENCH101_CELLS = 1_343
"""Number of different cells."""

TASKS = (
    "class_scene",
    "class_object",
    "room_layout",
    "jigsaw",
    "segmentsemantic",
    "normal",
    "autoencoder",
)
"""The seven tasks; each architecture was trained once on each."""
