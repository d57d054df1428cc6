"""NAS-Bench-201 architectures as text: ``|op~0|+|op~0|op~1|+|op~0|op~1|op~2|``.

A group for each of the nodes 1, 2 and 3, with the operation of the edge from every earlier node.
"""

from __future__ import annotations

from pyg_nas.errors import CellError, quoted
from pyg_nas.spaces.edge_cells.architectures import EDGES
from pyg_nas.spaces.nasbench201.space import NASBENCH201

_FORM = "|op~0|+|op~0|op~1|+|op~0|op~1|op~2|"


def format_text(operations: list[int]) -> str:
    """Return the text form of six operation numbers."""
    groups: dict[int, str] = {}
    for (source, target), operation in zip(EDGES, operations, strict=True):
        name = NASBENCH201.operations[operation]
        groups[target] = groups.get(target, "|") + f"{name}~{source}|"
    return "+".join(groups[target] for target in sorted(groups))


def parse_text(text: str) -> list[int]:
    """Return the six operation numbers of a text form.

    Raises:
        CellError: If the text has another form, or an operation is unknown.
    """
    groups = text.strip().split("+")
    found = {}
    for target, group in enumerate(groups, start=1):
        entries = group.split("|")
        if len(entries) != target + 2 or entries[0] or entries[-1]:
            raise _wrong_form(text)
        for position, entry in enumerate(entries[1:-1]):
            name, _, source = entry.rpartition("~")
            if source != str(position):
                raise _wrong_form(text)
            if name not in NASBENCH201.operations:
                raise CellError(
                    f"operation {quoted(name)} in {quoted(text)} is not one of "
                    f"{NASBENCH201.name!r}: {', '.join(NASBENCH201.operations)}"
                )
            found[(position, target)] = NASBENCH201.operations.index(name)
    if len(groups) != 3:
        raise _wrong_form(text)
    return [found[edge] for edge in EDGES]


def _wrong_form(text: str) -> CellError:
    return CellError(
        f"an architecture of {NASBENCH201.name!r} is written as {_FORM}, got {quoted(text)}"
    )
