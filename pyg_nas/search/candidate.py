"""An architecture that a search proposes, for the user's training code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyg_nas.errors import SettingsError, quoted
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.registry import missing_network
from pyg_nas.search.domain import identifier, lists_networks
from pyg_nas.search.history import Proposal, Query
from pyg_nas.search.outcome import Outcome

if TYPE_CHECKING:
    from torch import nn

    from pyg_nas.graphs.cell_network import NetworkSize


@dataclass(frozen=True)
class Candidate:
    """An architecture that a search proposes.

    Args:
        id: Its number in this search: proposals are counted from 0.
        proposal: The cell, and the reason for the proposal.
        parameters: Trainable parameters; None where not known.
        batch: Number of the first candidate that was proposed together with it.
    """

    id: int
    proposal: Proposal
    parameters: int | None
    batch: int

    @property
    def cell(self) -> Cell:
        """The cell."""
        return self.proposal.cell

    @property
    def text(self) -> str | None:
        """The cell in its space's text form, or a listed network's name; None where it has none."""
        if lists_networks(self.cell.space):
            return identifier(self.cell)
        return self.cell.to_text() if self.cell.space.support.has_text_form else None

    def query(self, outcome: Outcome) -> Query:
        """Return the record of its outcome.

        Raises:
            SettingsError: If a figure of the outcome is no finite number.
        """
        return Query(self.proposal, outcome, self.parameters, self.batch)

    def _repr_html_(self) -> str:
        from pyg_nas.visualization.notebook import row_html

        figures = {"parameters": self.parameters, "predicted": self.proposal.predicted}
        return row_html(f"architecture {self.id}", self.cell, figures)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready description: number, graph, parameters and reason."""
        return {"id": self.id, **self.proposal.to_dict(), "parameters": self.parameters}

    def build(self, size: NetworkSize | None = None, seed: int = 0) -> nn.Module:
        """Return the cell's network with random weights, by default of the official size.

        The module maps images ``[B, C, H, W]`` to logits ``[B, labels]``.

        Args:
            size: Channels, depth and classes.
            seed: Seed of the weights.

        Raises:
            SettingsError: If the cells of the space have no network, or it is a listed network.
        """
        space = self.cell.space
        if lists_networks(space):
            raise SettingsError(
                f"{quoted(self.text, 200)} is a network of a list, of which a search has the graph "
                f"alone: build it with your own code"
            )
        if space.support.network is None:
            raise SettingsError(missing_network(space))
        from torch import nn

        from pyg_nas.compute.generators import seeded_generator

        network: Any = space.support.network.build(self.cell, size)
        network.initialize([seeded_generator(seed)])
        # It trains several networks side by side: [1, B, C, H, W] to [1, B, labels].
        return nn.Sequential(nn.Unflatten(0, (1, -1)), network, nn.Flatten(0, 1))
