"""Support of NAS-Bench-201: everything particular to it, in one object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyg_nas.spaces.edge_cells.support import EdgeCellNetworks, EdgeCellSupport
from pyg_nas.spaces.nasbench201.architectures import EDGE_CELLS, official_texts
from pyg_nas.spaces.nasbench201.network_size import OFFICIAL_SIZE, layers
from pyg_nas.spaces.nasbench201.space import NASBENCH201, NASBENCH201_BUDGETS, NUM_NASBENCH201_CELLS
from pyg_nas.spaces.nasbench201.text_form import format_text, parse_text

if TYPE_CHECKING:
    from torch import nn


class NASBench201Support(EdgeCellSupport):
    """Support of NAS-Bench-201 (Dong and Yang, arXiv:2001.00326)."""

    budgets = NASBENCH201_BUDGETS
    common_tables = ("nasbench201_digits.hdf5", "nasbench201_textures.hdf5")
    num_cells = NUM_NASBENCH201_CELLS

    def __init__(self) -> None:
        super().__init__(NASBENCH201, EDGE_CELLS, format_text, parse_text)
        self.network = EdgeCellNetworks(self, OFFICIAL_SIZE, layers, _build)

    def architecture_texts(self) -> tuple[str, ...]:
        """Return the text forms of all architectures in their official order."""
        return official_texts()


def _build(*arguments: Any) -> nn.Module:
    from pyg_nas.spaces.nasbench201.network import NASBench201Network  # imports torch

    return NASBench201Network(*arguments)


SUPPORT = NASBench201Support()
