"""Search spaces as data: the operations of a vertex and the limits on the size of a cell."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pyg_nas.errors import SpaceError, argument, first_repeated, listed, quoted
from pyg_nas.graphs.registry import default_space, support_of

if TYPE_CHECKING:
    from pyg_nas.graphs.space_support import SpaceSupport


@dataclass(frozen=True)
class SearchSpace:
    """A family of labelled directed acyclic graphs.

    A space with ``terminals`` has cells: the first vertex is the input, the last one the output,
    and every vertex lies on a path between them. A space without terminals has plain graphs,
    which are never pruned.

    Args:
        name: A short name, stored in tables and model folders.
        operations: Names of the operations that an (inner) vertex may have, in the order of
            their ids 0, 1, 2, ...
        max_vertices: Most vertices of a cell, terminals included.
        max_edges: Most edges of a cell.
        terminals: Names of the output and input pseudo-operation, in this order, or empty.
            Their ids are -2 and -1, as in NAS-Bench-101 files.

    Raises:
        SpaceError: If a name is empty or appears twice, or a limit is negative.
    """

    name: str
    operations: tuple[str, ...]
    max_vertices: int
    max_edges: int
    terminals: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.terminals) not in (0, 2):
            raise SpaceError(
                f"space {self.name!r}: terminals must be empty or (output, input), "
                f"got {quoted(self.terminals)}"
            )
        names = self.vocabulary
        if not all(isinstance(name, str) and name for name in names):
            raise SpaceError(f"space {self.name!r}: operation names must be non-empty strings")
        if repeated := first_repeated(names):
            raise SpaceError(
                f"space {self.name!r}: operation names must differ, {quoted(repeated[0])} is named "
                f"twice"
            )
        if not self.operations:
            raise SpaceError(f"space {self.name!r}: at least one operation is needed")
        for limit in ("max_vertices", "max_edges"):
            value = getattr(self, limit)
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise SpaceError(f"space {self.name!r}: {limit} must be a whole number >= 0")
        least = 2 if self.terminals else 1
        if self.max_vertices < least:
            raise SpaceError(
                f"space {self.name!r}: max_vertices must be at least {least}, "
                f"got {self.max_vertices}"
            )

    @cached_property
    def vocabulary(self) -> tuple[str, ...]:
        """All operation names in the order of their one-hot columns (column = id + terminals)."""
        return self.terminals + self.operations

    @property
    def num_columns(self) -> int:
        """Width of a vertex's one-hot operation."""
        return len(self.vocabulary)

    @property
    def first_id(self) -> int:
        """Smallest operation id: -2 with terminals, else 0."""
        return -len(self.terminals)

    @property
    def output_id(self) -> int:
        """Id of the output vertex; only in spaces with terminals."""
        return -2

    @property
    def input_id(self) -> int:
        """Id of the input vertex; only in spaces with terminals."""
        return -1

    @property
    def id_type(self) -> np.dtype[Any]:
        """The narrowest signed type, int8 at least, that can store every operation id."""
        return np.min_scalar_type(-len(self.vocabulary))

    @property
    def size_type(self) -> np.dtype[Any]:
        """The narrowest signed type, int8 at least, that can store a number of vertices."""
        return np.min_scalar_type(-self.max_vertices - 1)

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {name: column + self.first_id for column, name in enumerate(self.vocabulary)}

    def encode(self, operations: Iterable[str | int]) -> list[int]:
        """Return the ids of ``operations``, each a name or already an id.

        Raises:
            SpaceError: If a name or id is not one of this space's.
        """
        ids = []
        for position, operation in enumerate(operations):
            known = (
                self._ids.get(operation)
                if isinstance(operation, str)
                else _as_id(operation, self.first_id, len(self.operations))
            )
            if known is None:
                raise SpaceError(
                    f"operation {quoted(operation)} at vertex {position} is not in space "
                    f"{self.name!r}: {listed(self.vocabulary)}"
                )
            ids.append(known)
        return ids

    def decode(self, ids: Iterable[int]) -> tuple[str, ...]:
        """Return the names of operation ids (the inverse of :meth:`encode`)."""
        return tuple(self.vocabulary[int(i) - self.first_id] for i in ids)

    @property
    def support(self) -> SpaceSupport:
        """The support of this space: everything particular to it beyond its data."""
        return support_of(self)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in asdict(self).items()
        }

    @classmethod
    def from_dict(cls, description: Any) -> SearchSpace:
        """Rebuild a space from :meth:`to_dict`'s result.

        Raises:
            SpaceError: If a key is missing, unknown or of the wrong type.
        """
        if not isinstance(description, dict):
            raise SpaceError(f"a space must be a JSON object, got {type(description).__name__}")
        expected = {"name", "operations", "max_vertices", "max_edges", "terminals"}
        if set(description) != expected:
            raise SpaceError(
                f"a space needs exactly the keys {sorted(expected)}, got "
                f"{quoted(sorted(description))}"
            )
        lists = {}
        for key in ("operations", "terminals"):
            if not isinstance(description[key], list):
                raise SpaceError(f"a space's {key} must be a list, got {quoted(description[key])}")
            lists[key] = tuple(description[key])
        if not isinstance(description["name"], str):
            raise SpaceError(f"a space's name must be a string, got {quoted(description['name'])}")
        return cls(
            name=description["name"],
            max_vertices=description["max_vertices"],
            max_edges=description["max_edges"],
            **lists,
        )


def given_space(space: SearchSpace | None) -> SearchSpace:
    """Return the space of an argument, for None the default one.

    Raises:
        SpaceError: If it is something else, such as a name.
    """
    if space is None:
        return default_space()
    if not isinstance(space, SearchSpace):
        raise SpaceError(
            f"{argument('space')} must be a SearchSpace, as pyg_nas.graphs.find_space(name) "
            f"returns, got {quoted(space)}"
        )
    return space


def _as_id(value: object, low: int, high: int) -> int | None:
    try:
        number = int(value)  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError):
        return None
    # 0.5 and True would be cut to an id silently.
    if isinstance(value, bool) or number != value or not low <= number < high:
        return None
    return int(number)
