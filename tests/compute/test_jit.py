"""Compiled functions where Numba can keep nothing on disk."""

from __future__ import annotations

from pyg_nas.compute.jit import compiled


def test_compiles_what_it_cannot_keep() -> None:
    """A function without a file has no place for its compiled form, as in a read-only install."""
    names: dict[str, object] = {}
    exec("def double(x):\n    return 2 * x", names)
    double = compiled(names["double"])  # type: ignore[type-var]
    assert double(21) == 42
