"""Cells as collated PyG tensors, made without a Python object for each cell."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torch_geometric.data import Data

from pyg_nas.errors import CellError
from pyg_nas.graphs.cell_array import CellArray


def collate_cells(cells: CellArray, y: ArrayLike | None = None) -> tuple[Data, dict[str, Tensor]]:
    """Return the result of ``InMemoryDataset.collate`` for the cells' ``to_data()``.

    Args:
        cells: ``N`` cells with ``V`` vertices and ``E`` edges altogether.
        y: One label per cell, ``[N]``; if None, the data have no ``y``.

    Returns:
        The data, ``x`` float32 ``[V, columns]`` one-hot, ``edge_index`` int64 ``[2, E]`` numbered
        within each cell and sorted by source and target, ``y`` float32 ``[N]`` and ``row`` int64
        ``[N]`` (each cell's position in ``cells``); and the slices of each of them, int64
        ``[N + 1]``.

    Raises:
        CellError: If ``y`` is not one number per cell.
    """
    total = len(cells)
    graphs = cells.ragged
    columns = graphs.operations.astype(np.int32) - cells.space.first_id
    x = torch.eye(cells.space.num_columns).index_select(0, torch.from_numpy(columns))
    one_each = torch.arange(total + 1)
    data = Data(x=x, edge_index=torch.tensor(graphs.edges))
    slices = {
        "x": torch.tensor(graphs.vertex_ptr),
        "edge_index": torch.tensor(graphs.edge_ptr),
    }
    if y is not None:
        labels = np.asarray(y, dtype=np.float32)
        if labels.shape != (total,):
            raise CellError(f"y must be one number per cell, [{total}], got shape {labels.shape}")
        data.y = torch.from_numpy(labels)
        slices["y"] = one_each
    # Not "index": PyG adds the vertices of earlier graphs to attributes with that in their names.
    data.row = torch.arange(total)
    slices["row"] = one_each
    return data, slices
