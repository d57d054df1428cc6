"""How the candidates of a search in a list of networks are drawn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pyg_nas.errors import SettingsError
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.search.domain import lists_networks
from pyg_nas.search.evaluators.network_list import stored_networks
from pyg_nas.visualization.cells import network_drawing
from pyg_nas.visualization.drawing import Drawing

if TYPE_CHECKING:
    from pyg_nas.graphs.cell import Cell


def network_drawings(folder: Path, space: SearchSpace) -> Callable[[Cell], Drawing] | None:
    """Return how the candidates of a list of networks are drawn; None for cells.

    Raises:
        SettingsError: If the folder's networks are not those of the search.
    """
    table = stored_networks(folder) if lists_networks(space) else None
    if table is None:
        return None
    if table.names != space.operations:
        raise SettingsError(f"{table.source}: has other networks than the search")
    row = {name: number for number, name in enumerate(table.names)}
    return lambda cell: network_drawing(table.networks, row[cell.operations[0]])
