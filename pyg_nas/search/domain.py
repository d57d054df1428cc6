"""The cells that a search may propose, with mutation and neighbourhood."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pyg_nas.errors import SettingsError
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.edit_distance import EditDistance
from pyg_nas.graphs.mutation import Genotype, mutate, neighbours
from pyg_nas.graphs.search_space import SearchSpace

LISTED = "listed networks"
"""Name of a space whose cells are names of whole networks, see
:mod:`pyg_nas.search.evaluators.network_list`."""

NEAREST = 20
"""Size of a neighbourhood in a part of a space."""

_MOST_TRIES = 10_000


def lists_networks(space: SearchSpace) -> bool:
    """Return whether the cells of a space are names of whole networks."""
    return space.name == LISTED


def thing_in(space: SearchSpace) -> str:
    """Return what is searched for in a space, in words for users: cell or network."""
    return "network" if lists_networks(space) else "cell"


def identifier(cell: Cell) -> str:
    """Return the module hash of a cell, or the name of a listed network."""
    return cell.operations[0] if lists_networks(cell.space) else cell.hash


def named(cell: Cell) -> str:
    """Return a cell or a listed network in words for messages."""
    return f"{thing_in(cell.space)} {identifier(cell)}"


class Domain:
    """The cells that a search may propose: a whole space, or only some of its cells.

    In a whole space, mutants and neighbours are those of the space. In a part of a space (the
    cells of a partial table), a mutant outside the part is replaced by the nearest unqueried cell
    inside, by edit distance (:class:`EditDistance`) with ties broken at random, and the
    neighbourhood of a cell is its 20 nearest cells inside.

    Args:
        space: The search space.
        cells: The cells of the domain; None for the whole space.
        hashes: Their module hashes, ``S32 [N]``, computed where None.
    """

    def __init__(
        self,
        space: SearchSpace,
        cells: CellArray | None = None,
        hashes: NDArray[np.bytes_] | None = None,
    ) -> None:
        if cells is not None and cells.space != space:
            raise SettingsError(
                f"the cells are of space {cells.space.name!r}, the search of {space.name!r}"
            )
        self.space = space
        # All cells of a space are the whole space in any order.
        self.whole = cells is None or len(cells) == space.support.num_cells
        self._given = cells
        self._hashes = cells.hashes() if cells is not None and hashes is None else hashes
        self._near: dict[str, list[Cell]] = {}

    @cached_property
    def cells(self) -> CellArray:
        """All cells of the domain; a whole space is enumerated at the first use."""
        return self.space.support.cells() if self._given is None else self._given

    def __len__(self) -> int:
        return len(self.cells)

    def hash_at(self, row: int) -> str:
        """Return the module hash of one of :attr:`cells`."""
        if self._hashes is None:
            return self.cells[row].hash
        return bytes(self._hashes[row]).decode()

    def __contains__(self, cell: object) -> bool:
        if not isinstance(cell, Cell) or cell.space != self.space:
            return False
        return self._given is None or cell.hash in self._rows

    def where(self, keep: NDArray[np.bool_]) -> Domain:
        """Return the domain of only those cells where ``keep`` ``[N]`` is true."""
        if keep.all():
            return self
        hashes = self._hashes
        if hashes is None:
            hashes = self.space.support.hashes()
        return Domain(self.space, self.cells[keep], hashes[keep])

    def sample(self, k: int, asked: Collection[str], rng: np.random.Generator) -> list[Cell]:
        """Draw up to ``k`` different cells uniformly, without those in ``asked``."""
        drawn: dict[str, Cell] = {}
        # Drawing again is faster than listing the remaining cells, unless few remain.
        if len(asked) + k < len(self) // 2:
            while len(drawn) < k:
                row = int(rng.integers(len(self)))
                digest = self.hash_at(row)
                if digest not in asked and digest not in drawn:
                    drawn[digest] = self.cells[row]
            return list(drawn.values())
        rows = rng.permutation(len(self))
        left = (int(row) for row in rows if self.hash_at(row) not in asked)
        return [self.cells[row] for row, _ in zip(left, range(k), strict=False)]

    def mutant(
        self, parent: Genotype, asked: Collection[str], rng: np.random.Generator
    ) -> Genotype | None:
        """Return a mutant of ``parent`` inside the domain whose cell was not proposed before.

        If a mutant was proposed before, the parent is mutated again; a mutant outside the domain
        is replaced by the nearest cell inside. None if no mutant is found.
        """
        for _ in range(_MOST_TRIES):
            child = mutate(parent, rng)
            if child.cell.hash in asked:
                continue
            if child.cell in self:
                return child
            nearest = self._nearest_left(child.cell, asked, rng)
            return None if nearest is None else Genotype.of_cell(nearest, rng)
        return None

    def neighbourhood(self, cell: Cell) -> list[Cell]:
        """Return the neighbours of ``cell``: one edit away, or the 20 nearest in a part."""
        if cell.hash not in self._near:
            self._near[cell.hash] = neighbours(cell) if self.whole else self._around(cell)
        return self._near[cell.hash]

    def _around(self, cell: Cell) -> list[Cell]:
        distances = self._distances(cell)
        # A seed from the cell's hash breaks ties, so that its neighbourhood never changes.
        tie = np.random.default_rng(int(cell.hash[:15], 16)).random(len(distances))
        order = np.lexsort((tie, distances))[: NEAREST + 1]
        return [self.cells[row] for row in order if distances[row] > 0][:NEAREST]

    def _nearest_left(
        self, cell: Cell, asked: Collection[str], rng: np.random.Generator
    ) -> Cell | None:
        allowed = np.ones(len(self), dtype=bool)
        allowed[[self._rows[digest] for digest in asked if digest in self._rows]] = False
        rows = self._distances.nearest(cell, allowed)
        return self.cells[int(rng.choice(rows))] if len(rows) else None

    @cached_property
    def _distances(self) -> EditDistance:
        return EditDistance(self.cells)

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {self.hash_at(row): row for row in range(len(self))}
