"""A search space of the user's own operations, with a builder of its networks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pyg_nas.errors import SpaceError
from pyg_nas.graphs.cell_network import NetworkSize
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.spaces.graph_text import GraphTextSupport

if TYPE_CHECKING:
    from pyg_nas.spaces.own.layers import Operation
    from pyg_nas.spaces.own.network import Builder, OwnNetworks

_NAME = re.compile(r"[\w.+×/-]+")  # without what separates names in a text form
_MOST_VERTICES = 7  # those that can be enumerated


class OwnSpace(GraphTextSupport):
    """A space of the user's own: operations, limits of a cell, and a builder of networks.

    A file that has one as ``SPACE`` is used as ``--space file.py:SPACE``; a package names it in the
    entry point group ``pyg_nas.spaces``. Everything else, such as hashes, enumeration, moves of a
    search and features, follows from the graphs.

    Args:
        name: A short name, stored in tables, models and search folders.
        operations: Makes the module of each operation, by name, as
            :class:`~pyg_nas.spaces.own.CellModule` uses them.
        builder: Called with a :class:`~pyg_nas.graphs.Cell` and the
            :class:`~pyg_nas.graphs.NetworkSize` of a task (``num_labels``, ``image_channels``,
            ``image_size`` and the sizes of its settings); it returns a module that maps images
            ``[B, C, H, W]``, of mean 0 and standard deviation 1, to logits ``[B, num_labels]``.
            Weights are drawn from torch's global generator, which is seeded before. It is also
            seeded before each training step, for layers such as dropout.
        max_vertices: Most vertices of a cell with input and output, 3 to 7.
        max_edges: Most edges of a cell, at least 2.

    Raises:
        SpaceError: If a name, a function or a limit is outside its rule.
    """

    network: OwnNetworks

    def __init__(
        self,
        name: str,
        operations: Mapping[str, Operation],
        builder: Builder,
        *,
        max_vertices: int = 5,
        max_edges: int = 7,
    ) -> None:
        from pyg_nas.spaces.own.network import OwnNetworks

        super().__init__(
            SearchSpace(name, tuple(operations), max_vertices, max_edges, ("output", "input"))
        )
        for operation, make in operations.items():
            if not _NAME.fullmatch(operation):
                raise SpaceError(
                    f"space {name!r}: names of operations have letters, digits and . _ + - / only, "
                    f"got {operation!r}"
                )
            if not callable(make):
                raise SpaceError(
                    f"space {name!r}: operation {operation!r} must be a function of the channels "
                    f"that returns a module, got {make!r}"
                )
        if not callable(builder):
            raise SpaceError(
                f"space {name!r}: the builder must be a function of (cell, task) that returns a "
                f"module, got {builder!r}"
            )
        if not 3 <= max_vertices <= _MOST_VERTICES or max_edges < 2:
            raise SpaceError(
                f"space {name!r}: a cell has 3 to {_MOST_VERTICES} vertices and 2 edges or more "
                f"at most, got max_vertices {max_vertices} and max_edges {max_edges}"
            )
        self.network = OwnNetworks(self.space, builder)

    @property
    def official_network(self) -> None:
        """None: the networks have the size of a task."""
        return None

    def network_fingerprint(self, size: NetworkSize) -> str:
        """Try networks with every operation, and return a digest of their layers and weights.

        Raises:
            MeasureError: If a network cannot be built, run or trained.
        """
        return self.network.fingerprint(size)
