"""The benchmarks' search spaces as PyG datasets, one class each."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, ClassVar

from torch_geometric.data import Data

from pyg_nas.data.datasets.dataset import CellDataset
from pyg_nas.data.protocols.labels import LabelPolicy
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import SpaceError
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.registry import find_space
from pyg_nas.graphs.search_space import SearchSpace


class SpaceDataset(CellDataset):
    """The cells of one registered search space; a subclass names it.

    Without a source it contains all architectures of the space's official list without labels, or
    all cells if there is no such list. Arguments and errors are those of
    :class:`~pyg_nas.data.datasets.dataset.CellDataset`.

    Raises:
        SpaceError: If the cells are of another search space.
    """

    space_name: ClassVar[str]

    def __init__(
        self,
        root: str | os.PathLike[str],
        source: str | os.PathLike[str] | Table | CellArray | None = None,
        label: LabelPolicy | None = None,
        transform: Callable[[Data], Any] | None = None,
        pre_transform: Callable[[Data], Data] | None = None,
        pre_filter: Callable[[Data], bool] | None = None,
        force_reload: bool = False,
        transform_key: str | None = None,
    ) -> None:
        support = find_space(self.space_name).support
        if source is None:
            texts = support.architecture_texts()
            source = support.cells_of_texts(texts) if texts else support.cells()
        super().__init__(
            root, source, label, transform, pre_transform, pre_filter, force_reload, transform_key
        )
        self._check_space(self.space)  # also of a processed file that another class has written

    def _check_space(self, space: SearchSpace) -> None:
        if space != find_space(self.space_name):
            raise SpaceError(
                f"{self.source} contains cells of {space.name!r}, not of {self.space_name!r}"
            )


class NASBench101(SpaceDataset):
    r"""The NAS-Bench-101 dataset from `"NAS-Bench-101: Towards Reproducible Neural Architecture
    Search" <https://arxiv.org/abs/1902.09635>`_: all cells of at most 7 vertices and 9 edges with
    3 operations, trained three times on CIFAR-10 at each of four budgets.

    Args:
        root (str): Folder of the dataset; processed files are written to ``processed``.
        source (str or Table or CellArray, optional): A table of cells of the space, or some
            cells without labels. (default: :obj:`None`, all cells, enumerated, without labels)

    All other arguments are those of :class:`~pyg_nas.data.datasets.dataset.CellDataset`.

    **STATS:**

    .. list-table::
        :widths: 20 10 10 10 10 10
        :header-rows: 1

        * - Name
          - #graphs
          - #nodes
          - #edges
          - #features
          - #tasks
        * - All cells
          - 423,624
          - ~6.8
          - ~8.7
          - 5
          - 1
    """

    space_name = "nasbench101"


class NASBench201(SpaceDataset):
    r"""The NAS-Bench-201 dataset from `"NAS-Bench-201: Extending the Scope of Reproducible Neural
    Architecture Search" <https://arxiv.org/abs/2001.00326>`_: all choices of one of 5 operations
    for each of the 6 edges between 4 nodes, trained on three image datasets.

    The vertices of a graph are the operations; ``none`` is not a vertex, and vertices on no path
    from the input to the output are left out. Architectures that compute the same function have the
    same graph.

    Args:
        root (str): Folder of the dataset; processed files are written to ``processed``.
        source (str or Table or CellArray, optional): A table of cells of the space, or some
            cells without labels. (default: :obj:`None`, all architectures in their official
            order, without labels)

    All other arguments are those of :class:`~pyg_nas.data.datasets.dataset.CellDataset`.

    **STATS:**

    .. list-table::
        :widths: 20 10 10 10 10 10
        :header-rows: 1

        * - Name
          - #graphs
          - #nodes
          - #edges
          - #features
          - #tasks
        * - All architectures
          - 15,625
          - ~6.0
          - ~6.6
          - 7
          - 1
    """

    space_name = "nasbench201"


class TransNASBench101(SpaceDataset):
    r"""The micro space of TransNAS-Bench-101 from `"TransNAS-Bench-101: Improving Transferability
    and Generalizability of Cross-Task Neural Architecture Search"
    <https://arxiv.org/abs/2105.11871>`_: all choices of one of 4 operations for each of the 6 edges
    between 4 nodes, trained once on each of seven tasks. Graphs are like those of
    :class:`NASBench201`.

    Args:
        root (str): Folder of the dataset; processed files are written to ``processed``.
        source (str or Table or CellArray, optional): A table of cells of the space, or some
            cells without labels. (default: :obj:`None`, all architectures, without labels)

    All other arguments are those of :class:`~pyg_nas.data.datasets.dataset.CellDataset`.

    **STATS:**

    .. list-table::
        :widths: 20 10 10 10 10 10
        :header-rows: 1

        * - Name
          - #graphs
          - #nodes
          - #edges
          - #features
          - #tasks
        * - All architectures
          - 4,096
          - ~5.6
          - ~5.9
          - 6
          - 7
    """

    space_name = "transnasbench101"
