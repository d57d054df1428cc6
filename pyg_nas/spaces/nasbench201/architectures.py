"""All 15,625 architectures of NAS-Bench-201 in their official order."""

from __future__ import annotations

import random
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pyg_nas.spaces.edge_cells.architectures import EdgeCells
from pyg_nas.spaces.nasbench201.space import NASBENCH201
from pyg_nas.spaces.nasbench201.text_form import format_text

EDGE_CELLS = EdgeCells(NASBENCH201.operations)

# The official list contains all combinations of operations, shuffled by Python's generator.
_OFFICIAL_SEED = 88


@lru_cache(maxsize=1)
def official_codes() -> NDArray[np.int64]:
    """Return the architectures' codes (:class:`~pyg_nas.spaces.edge_cells.EdgeCells`) by index.

    Source: the official files of NAS-Bench-201, whose order this reproduces.
    """
    codes = list(range(EDGE_CELLS.num_architectures))
    random.Random(_OFFICIAL_SEED).shuffle(codes)
    array = np.array(codes, dtype=np.int64)
    array.flags.writeable = False
    return array


@lru_cache(maxsize=1)
def official_texts() -> tuple[str, ...]:
    """Return the architectures' text forms by index."""
    operations = EDGE_CELLS.all_operations[official_codes()]
    return tuple(format_text(row) for row in operations.tolist())
