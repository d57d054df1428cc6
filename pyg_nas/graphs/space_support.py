"""The support of a search space: everything particular to it except its data.

A :class:`SearchSpace` is plain data that is stored in files. Everything else that is particular to
a space is defined by its :class:`SpaceSupport`, found by ``space.support``: other modules use it
and never test which space they have. The class has defaults for any space, which are None or empty
where there is no general definition; the packages in :mod:`pyg_nas.spaces` override them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pyg_nas.errors import SpaceError
from pyg_nas.graphs.hashing import hash_graph, hash_graphs

if TYPE_CHECKING:
    from pyg_nas.graphs.cell import Cell
    from pyg_nas.graphs.cell_array import CellArray
    from pyg_nas.graphs.cell_network import CellNetwork, NetworkSize
    from pyg_nas.graphs.mutation import Genotype
    from pyg_nas.graphs.official_format import OfficialFormat
    from pyg_nas.graphs.search_space import SearchSpace
    from pyg_nas.io.remote_file import RemoteFile

Array = NDArray[np.float32]
Ids = NDArray[np.integer[Any]]
C = TypeVar("C")


@dataclass(frozen=True)
class ExtraFeatures:
    """Features that a space adds to those of any graph, for ``N`` cells of ``V`` vertices.

    The keys are the names of the features, in their order.

    Attributes:
        graph: float32 ``[N]`` by name.
        vertex: float32 ``[V, N]`` by name, vertices first.
        channels: float32 ``[V, N]``, relative channels by which a vertex's visits are weighted;
            None for equal weights.
        walk: float32 ``[V, V, N]``, probability that a walk against the edges goes from the second
            vertex back to the first; None if all predecessors are equally probable.
    """

    graph: Mapping[str, Array] = field(default_factory=dict)
    vertex: Mapping[str, Array] = field(default_factory=dict)
    channels: Array | None = None
    walk: Array | None = None


class SpaceSupport:
    """Everything particular to a search space; this class has the defaults for any space.

    Args:
        space: The space.
    """

    budgets: tuple[int, ...] = ()
    """Budgets in epochs of the official table."""

    official_label: Mapping[str, Any] | None = None
    """Values of the :class:`~pyg_nas.data.protocols.labels.LabelPolicy` of the official table."""

    split_sizes: tuple[int, ...] = (172, 334, 860)
    """Sizes of the named training splits, each the first rows of another permutation."""

    official_files: Mapping[str, RemoteFile] = {}
    """Files to download, by the name that a command gives them."""

    official_format: OfficialFormat | None = None
    """Reads and writes the official files; None if the space has none that can be converted."""

    drawing_labels: Mapping[str, str] = {}
    """Label of an operation's box in a drawing, by the operation's name."""

    drawing_colours: Mapping[str, str] = {}
    """Box colours ``#RRGGBB`` of operations, by name; others take the next of the palette."""

    extra_kinds: Mapping[str, tuple[int, ...]] = {}
    """Named sets of operation ids; features count the vertices of a set together."""

    path_operations: tuple[int, ...] = ()
    """Ids of the operations by whose subsets paths from input to output are counted as features
    (:mod:`pyg_nas.features.paths`); empty for no such features. Where there are some, the recipes
    best, fast and transfer have a forest that reads them (:mod:`pyg_nas.predictors.forest`)."""

    zero_cost_model: str | None = None
    """Name of the shipped model or file of zero-cost features of this space."""

    proxy_files: Mapping[str, str] = {}
    """Shipped files of what untrained networks of the official size show, by what was measured:
    ``propagation`` and ``weight information``; empty if there are none."""

    transfer_table: str | None = None
    """Name of the shipped table whose measurements predictors of this space can use."""

    common_tables: tuple[str, ...] = ()
    """Names of the shipped tables of this space from which the recipe transfer learns."""

    common_operations: Mapping[str, str] = {}
    """Names in this space of operations that several spaces have (conv3x3); empty where the
    recipe transfer cannot be used."""

    num_cells: int | None = None
    """Number of cells up to isomorphism, if it is known without enumerating them."""

    network: CellNetwork | None = None
    """The networks of the cells; None if the space defines none."""

    has_empty_cell: bool = False
    """Whether the input and the output alone, without an edge between them, are a cell."""

    has_text_form: bool = False
    """Whether cells can be written as one line of text."""

    def __init__(self, space: SearchSpace) -> None:
        self.space = space

    @property
    def largest_budget(self) -> int:
        """The largest official budget, of measurements that name none; 1 if there is none."""
        return self.budgets[-1] if self.budgets else 1

    def cache(self, kind: type[C]) -> C:
        """Return the space's one object of a class, made without arguments when first asked for.

        Higher rooms keep what they have computed of cells in objects of such classes. Each is
        bounded, and exists as long as the support does.
        """
        found: C = self._caches.setdefault(kind, kind())
        return found

    @cached_property
    def _caches(self) -> dict[type[Any], Any]:
        return {}

    @property
    def official_network(self) -> CellNetwork | None:
        """The networks of the cells where these have an official size, else None."""
        return self.network

    def network_fingerprint(self, size: NetworkSize) -> str | None:
        """Return a digest that changes with the layers of the networks at a size.

        None where they are defined by this package and do not change.

        Raises:
            MeasureError: If networks of that size cannot be built or run.
        """
        return None

    def canonical(self, edges: NDArray[np.int64], operations: Ids) -> tuple[NDArray[np.int64], Ids]:
        """Return the canonical graph of a drawing.

        In a space with terminals it consists of the vertices on paths from input to output.

        Args:
            edges: ``[2, E]`` (source, target), sorted, sources before targets.
            operations: ``[V]`` ids.

        Raises:
            CellError: If the drawing is not a cell of the space.
        """
        if not self.space.terminals:
            return edges, operations
        from pyg_nas.graphs.cell_rules import check_terminals, prune

        check_terminals(operations, self.space)
        return prune(edges, operations)

    def cell_hash(self, cell: Cell) -> str:
        """Return 32 hex digits that are equal for cells that compute the same."""
        return hash_graph(cell.edge_index, cell.operation_ids)

    def cell_hashes(self, cells: CellArray) -> NDArray[np.bytes_]:
        """Return the :meth:`cell_hash` of many cells, ``S32 [N]``."""
        return hash_graphs(cells.ragged)

    def first_invalid(self, cells: CellArray) -> tuple[int, str] | None:
        """Return the first row that breaks a rule particular to this space, and the rule, or None.

        Called only for arrays that comply with the rules of every space.
        """
        return None

    def to_text(self, cell: Cell) -> str:
        """Return the text form of a cell.

        Raises:
            SpaceError: If the space has no text form.
        """
        raise self._without_text_form()

    def to_texts(self, cells: CellArray) -> NDArray[np.bytes_]:
        """Return the text forms of many cells, UTF-8 bytes ``[N]``.

        Raises:
            SpaceError: If the space has no text form.
        """
        return np.array([self.to_text(cell).encode() for cell in cells], dtype=np.bytes_)

    def canonical_text(self, text: str) -> str:
        """Return a text form in the notation of :meth:`to_text`.

        If a cell has several drawings in text form, the result is of the same drawing.

        Raises:
            SpaceError: If the space has no text form.
            CellError: If the text is not a cell.
        """
        return self.to_text(self.from_text(text))

    def architecture_texts(self) -> Sequence[str]:
        """Return the text forms of all drawings of cells in their official order.

        Empty if the space has no such list.
        """
        return ()

    def cells_of_texts(self, texts: Sequence[str]) -> CellArray:
        """Return the cells ``[N]`` of text forms; equal ones may be among them.

        Raises:
            SpaceError: If the space has no text form.
            CellError: If a text is not a cell.
        """
        from pyg_nas.graphs.cell_array import CellArray

        return CellArray.from_cells(map(self.from_text, texts), self.space)

    def parameters_of_texts(self, texts: Sequence[str]) -> NDArray[np.int64] | None:
        """Return the official parameters ``[N]`` of drawings; None if they equal the cells'."""
        return None

    def parameters(
        self, cells: CellArray, size: NetworkSize, texts: Sequence[str] = ()
    ) -> NDArray[np.int64]:
        """Return the parameters of the networks of cells at a size, ``[N]``.

        Args:
            cells: ``N`` cells.
            size: Size of the networks.
            texts: Text forms of the drawings ``[N]``, if known: at the official size, operations
                that a cell's graph lacks count in some spaces.

        Raises:
            CellError: If the cells of this space have no network.
        """
        official = self.official_network
        drawn = None
        if texts and official is not None and size == official.size:
            drawn = self.parameters_of_texts(texts)
        return cells.trainable_parameters(size) if drawn is None else drawn

    def from_text(self, text: str) -> Cell:
        """Return the cell of a text form.

        Raises:
            SpaceError: If the space has no text form.
            CellError: If the text is not a cell.
        """
        raise self._without_text_form()

    def _without_text_form(self) -> SpaceError:
        return SpaceError(f"cells of space {self.space.name!r} have no text form")

    def cells(self) -> CellArray:
        """Return all cells of the space up to isomorphism, in a fixed order.

        Raises:
            SpaceError: If they cannot be enumerated.
        """
        return self._cells

    def hashes(self) -> NDArray[np.bytes_]:
        """Return the hashes of :meth:`cells`, ``S32 [N]``."""
        return self._hashes

    def positions(self, cells: CellArray) -> NDArray[np.int64]:
        """Return the rows ``[N]`` of cells of the space in :meth:`cells`."""
        order = np.argsort(self.hashes())
        return order[np.searchsorted(self.hashes(), cells.hashes(), sorter=order)]

    def is_whole(self, cells: CellArray) -> bool:
        """Whether ``cells`` are all cells of the space in the order of :meth:`cells`."""
        if cells.space != self.space or len(cells) != self.num_cells:
            return False
        whole = self.cells()
        return cells is whole or cells.digest == whole.digest

    def twins(self, cells: CellArray) -> CellArray:
        """Return the cells ``[N]`` that compute the same in the space that has shipped data."""
        return cells

    @cached_property
    def _cells(self) -> CellArray:
        from pyg_nas.graphs.enumeration import enumerate_graphs

        return enumerate_graphs(self.space)

    @cached_property
    def _hashes(self) -> NDArray[np.bytes_]:
        return self.cells().hashes()

    def extra_features(self, cells: CellArray, adjacency: Array) -> ExtraFeatures:
        """Return the features that the space adds to those of its graphs.

        Args:
            cells: ``N`` cells.
            adjacency: Their adjacency, float32 ``[V, V, N]``, vertices first.
        """
        return ExtraFeatures()

    def work_features(self, cells: CellArray) -> list[NDArray[np.float64]]:
        """Return further features ``[N]`` of which training time is a weighted sum."""
        return []

    def genotype(self, cell: Cell, rng: np.random.Generator) -> Genotype:
        """Return a drawing of a cell, from which mutation starts."""
        from pyg_nas.graphs.mutation import embedded

        return embedded(cell, rng)

    def mutate(self, parent: Genotype, rng: np.random.Generator) -> Genotype:
        """Return a genotype near ``parent`` whose cell is another one."""
        from pyg_nas.graphs.mutation import mutate_graph

        return mutate_graph(parent, rng)

    def neighbours(self, cell: Cell) -> list[Cell]:
        """Return all different cells one edit away, in a fixed order."""
        from pyg_nas.graphs.mutation import graph_neighbours

        return graph_neighbours(cell)
