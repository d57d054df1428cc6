"""Architectures of TransNAS-Bench-101 (micro) as text: ``64-41414-a_bc_def``.

``64-41414`` names the frame, which all micro architectures share. The six digits are the
operations of the edges 0-1, 0-2, 1-2, 0-3, 1-3 and 2-3, with an underscore between the nodes.
"""

from __future__ import annotations

import re

from pyg_nas.errors import CellError, quoted
from pyg_nas.spaces.transnasbench101.space import TRANSNASBENCH101

_FRAME = "64-41414"
_PATTERN = re.compile(_FRAME + r"-([0-3])_([0-3])([0-3])_([0-3])([0-3])([0-3])")


def format_text(operations: list[int]) -> str:
    """Return the text form of six operation numbers."""
    a, b, c, d, e, f = operations
    return f"{_FRAME}-{a}_{b}{c}_{d}{e}{f}"


def parse_text(text: str) -> list[int]:
    """Return the six operation numbers of a text form.

    Raises:
        CellError: If the text has another form.
    """
    found = _PATTERN.fullmatch(text.strip())
    if found is None:
        raise CellError(
            f"an architecture of {TRANSNASBENCH101.name!r} is written as {_FRAME}-a_bc_def with "
            f"operations 0 to 3, got {quoted(text)}"
        )
    return [int(digit) for digit in found.groups()]
