"""Support of TransNAS-Bench-101 (micro): everything particular to it, in one object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyg_nas.spaces.edge_cells.architectures import EdgeCells
from pyg_nas.spaces.edge_cells.support import EdgeCellNetworks, EdgeCellSupport
from pyg_nas.spaces.transnasbench101.network_size import OFFICIAL_SIZE, layers
from pyg_nas.spaces.transnasbench101.space import NUM_TRANSNASBENCH101_CELLS, TRANSNASBENCH101
from pyg_nas.spaces.transnasbench101.text_form import format_text, parse_text

if TYPE_CHECKING:
    from torch import nn

    from pyg_nas.graphs.cell_array import CellArray


class TransNASBench101Support(EdgeCellSupport):
    """Support of the micro space of TransNAS-Bench-101 (Duan et al., arXiv:2105.11871)."""

    num_cells = NUM_TRANSNASBENCH101_CELLS

    def __init__(self) -> None:
        edge_cells = EdgeCells(TRANSNASBENCH101.operations, halves_image=True)
        super().__init__(TRANSNASBENCH101, edge_cells, format_text, parse_text)
        self.network = EdgeCellNetworks(self, OFFICIAL_SIZE, layers, _build)

    def twins(self, cells: CellArray) -> CellArray:
        """Return the cells ``[N]`` of NAS-Bench-201 with the same operations on the edges."""
        from pyg_nas.spaces.nasbench201.support import SUPPORT as NASBENCH201_SUPPORT

        # The four operations have the same numbers in both spaces.
        codes = NASBENCH201_SUPPORT.edge_cells.codes(self.operations(cells))
        return NASBENCH201_SUPPORT.cells_of_codes(codes)


def _build(*arguments: Any) -> nn.Module:
    from pyg_nas.spaces.transnasbench101.network import TransNASNetwork  # imports torch

    return TransNASNetwork(*arguments)


SUPPORT = TransNASBench101Support()
