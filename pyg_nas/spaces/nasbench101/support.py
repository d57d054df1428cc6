"""Support of NAS-Bench-101: everything particular to it, in one object."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.cell_network import NetworkSize
from pyg_nas.graphs.official_format import OfficialTable, Progress
from pyg_nas.graphs.space_support import Array, ExtraFeatures
from pyg_nas.io.regular_files import AnyPath
from pyg_nas.io.remote_file import RemoteFile
from pyg_nas.spaces.graph_text import GraphTextSupport
from pyg_nas.spaces.nasbench101 import cells, features, network_size
from pyg_nas.spaces.nasbench101.cells import cached_costs
from pyg_nas.spaces.nasbench101.space import (
    CONVOLUTIONS,
    NASBENCH101,
    NASBENCH101_BUDGETS,
    NUM_NASBENCH101_CELLS,
)

if TYPE_CHECKING:
    from torch import nn


class NASBench101Network:
    """The networks of NAS-Bench-101 cells (:class:`~pyg_nas.graphs.cell_network.CellNetwork`)."""

    size = network_size.OFFICIAL_SIZE
    sufficient_stem_channels = NASBENCH101.max_vertices - 2  # one for each inner vertex

    def trainable_parameters(
        self, cells: CellArray, size: NetworkSize | None = None
    ) -> NDArray[np.int64]:
        """Return the exact trainable parameters, ``[N]``."""
        compute = network_size.trainable_parameters
        return cached_costs("parameters", cells, size or self.size, compute)

    def macs(self, cells: CellArray, size: NetworkSize | None = None) -> NDArray[np.int64]:
        """Return the multiply-accumulates for one image, ``[N]``."""
        return cached_costs("macs", cells, size or self.size, network_size.macs)

    def channel_shares(self, cells: CellArray) -> NDArray[np.float64]:
        """Return each vertex's channels relative to the output's, ``[N, V]``."""
        return network_size.channel_shares(cells)

    def least_stem_channels(self, cells: CellArray) -> NDArray[np.int64]:
        """Return one channel for each vertex that the output concatenates, ``[N]``."""
        return network_size.concatenated_vertices(cells)

    def build(
        self,
        cell: Cell,
        size: NetworkSize | None = None,
        members: int = 1,
        batch_norm_momentum: float | None = None,
    ) -> nn.Module:
        """Return the network in PyTorch, or ``members`` of them trained side by side."""
        from pyg_nas.spaces.nasbench101.network import Network

        return Network(cell, size or self.size, members, batch_norm_momentum)


class TFRecords:
    """Google's TFRecord files (:class:`~pyg_nas.graphs.official_format.OfficialFormat`)."""

    def read(self, source: AnyPath, progress: Progress | None = None) -> OfficialTable:
        """Read a file (:func:`~pyg_nas.spaces.nasbench101.tfrecord_reader.read_records`)."""
        from pyg_nas.spaces.nasbench101.tfrecord_reader import read_records

        return read_records(source, progress)

    def write(self, table: OfficialTable, target: AnyPath, progress: Progress | None = None) -> int:
        """Write a file (:func:`~pyg_nas.spaces.nasbench101.tfrecord_writer.write_records`)."""
        from pyg_nas.spaces.nasbench101.tfrecord_writer import write_records

        return write_records(table, target, progress)


class NASBench101Support(GraphTextSupport):
    """Support of NAS-Bench-101 (Ying et al., arXiv:1902.09635)."""

    budgets = NASBENCH101_BUDGETS
    # The reproduction of arXiv:1912.00848: final validation accuracy of seed 0 on CIFAR-10.
    official_label = {"budget": 108, "fallback": 0.908192}  # noqa: RUF012
    # Checksums are those of the README of google-research/nasbench.
    official_files = {  # noqa: RUF012
        "only108": RemoteFile(
            "https://storage.googleapis.com/nasbench/nasbench_only108.tfrecord",
            522_767_376,
            "4c39c3936e36a85269881d659e44e61a245babcb72cb374eacacf75d0e5f4fd1",
        ),
        "full": RemoteFile(
            "https://storage.googleapis.com/nasbench/nasbench_full.tfrecord",
            2_085_986_016,
            "3d64db8180fb1b0207212f9032205064312b6907a3bbc81eabea10db2f5c7e9c",
        ),
    }
    official_format = TFRecords()
    drawing_labels = {  # noqa: RUF012
        "conv3x3-bn-relu": "conv 3×3",
        "conv1x1-bn-relu": "conv 1×1",
        "maxpool3x3": "max pool 3×3",
    }
    extra_kinds = {"convolutions": CONVOLUTIONS}  # noqa: RUF012
    zero_cost_model = "zero_cost"
    transfer_table = "nasbench_digits.hdf5"
    common_tables = ("nasbench_digits.hdf5",)
    common_operations = {"conv3x3": "conv3x3-bn-relu"}  # noqa: RUF012
    num_cells = NUM_NASBENCH101_CELLS
    network = NASBench101Network()

    @cached_property
    def _cells(self) -> CellArray:
        return cells.read_cells()

    @cached_property
    def _hashes(self) -> NDArray[np.bytes_]:
        return cells.read_hashes(self._cells)

    def extra_features(self, cells: CellArray, adjacency: Array) -> ExtraFeatures:
        """Return the features that are computed from the channels of the network."""
        return features.extra_features(cells, adjacency)

    def work_features(self, cells: CellArray) -> list[NDArray[np.float64]]:
        """Return sums of channels."""
        return features.work_features(cells)


SUPPORT = NASBench101Support(NASBENCH101)
