"""Support of NAS-Bench-201: everything particular to it, in one object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.graphs.space_support import NetworkSize
from pyg_nas.spaces import edge_cell_size
from pyg_nas.spaces.edge_cell_support import EdgeCellNetworks, EdgeCellSupport
from pyg_nas.spaces.nasbench201.architectures import EDGE_CELLS, official_texts
from pyg_nas.spaces.nasbench201.space import (
    NASBENCH201,
    NASBENCH201_BUDGETS,
    NUM_NASBENCH201_CELLS,
)
from pyg_nas.spaces.nasbench201.text_form import format_text, parse_text

if TYPE_CHECKING:
    from torch import nn

OFFICIAL_SIZE = NetworkSize(stem_channels=16, num_stacks=3, modules_per_stack=5)


class NASBench201Support(EdgeCellSupport):
    """Support of NAS-Bench-201 (Dong and Yang, arXiv:2001.00326)."""

    budgets = NASBENCH201_BUDGETS
    drawing_labels = {  # noqa: RUF012
        "none": "none",
        "skip_connect": "skip",
        "nor_conv_1x1": "conv 1×1",
        "nor_conv_3x3": "conv 3×3",
        "avg_pool_3x3": "avg pool 3×3",
    }
    extra_kinds = {"convolutions": (2, 3)}  # noqa: RUF012
    num_cells = NUM_NASBENCH201_CELLS

    def __init__(self) -> None:
        super().__init__(NASBENCH201, EDGE_CELLS, format_text, parse_text)
        self.network = EdgeCellNetworks(self, OFFICIAL_SIZE, _parameters, _macs, _build)

    def architecture_texts(self) -> tuple[str, ...]:
        """Return the text forms of all architectures in their official order."""
        return official_texts()


def _parameters(operations: NDArray[Any], size: NetworkSize) -> NDArray[np.int64]:
    return edge_cell_size.trainable_parameters(
        operations,
        stem_channels=size.stem_channels,
        num_stacks=size.num_stacks,
        modules_per_stack=size.modules_per_stack,
        num_labels=size.num_labels,
        image_channels=size.image_channels,
    )


def _macs(operations: NDArray[Any], size: NetworkSize) -> NDArray[np.int64]:
    return edge_cell_size.multiply_accumulates(
        operations,
        image_size=size.image_size,
        stem_channels=size.stem_channels,
        num_stacks=size.num_stacks,
        modules_per_stack=size.modules_per_stack,
        num_labels=size.num_labels,
        image_channels=size.image_channels,
    )


def _build(
    operations: list[int], size: NetworkSize, members: int, batch_norm_momentum: float | None
) -> nn.Module:
    from pyg_nas.spaces.edge_cell_network import BATCH_NORM_MOMENTUM, EdgeCellNetwork

    return EdgeCellNetwork(
        operations,
        size.stem_channels,
        size.num_stacks,
        size.modules_per_stack,
        size.num_labels,
        size.image_channels,
        members,
        BATCH_NORM_MOMENTUM if batch_norm_momentum is None else batch_norm_momentum,
    )


SUPPORT = NASBench201Support()
