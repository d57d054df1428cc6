from __future__ import annotations

from pyg_nas.search.stored import nested_values


def test_values_are_found_outermost_first() -> None:
    settings = {"b": {"a": 2, "c": {"a": 3}}, "a": 1}
    assert nested_values(settings, "a") == [1, 2, 3]
    assert nested_values(settings, "a", depth=1) == [1]
    assert nested_values(7, "a") == []
