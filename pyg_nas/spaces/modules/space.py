"""The vocabulary of whole networks as a search space."""

from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.spaces.modules.vocabulary import NUM_HASHED_COLUMNS, OPERATIONS, TERMINALS

_MOST = 2**31 - 1

NETWORKS = SearchSpace(
    name="networks",
    operations=(*OPERATIONS, *(f"other {i}" for i in range(NUM_HASHED_COLUMNS))),
    max_vertices=_MOST,
    max_edges=_MOST,
    terminals=TERMINALS,
)
"""One-hot columns are those of :func:`pyg_nas.spaces.modules.vocabulary.column`."""
