"""Operators and the graphs inside them, in nodes written by hand."""

from __future__ import annotations

import pytest

from pyg_nas.spaces.modules.onnx_nodes import inner_graphs, inner_nodes, named

onnx = pytest.importorskip("onnx")
helper = onnx.helper


def test_inner_graphs_are_found_at_any_depth() -> None:
    absolute = helper.make_node("Abs", ["x"], ["y"])
    inner = helper.make_node(
        "If", ["c"], ["y"], then_branch=helper.make_graph([absolute], "a", [], [])
    )
    outer = helper.make_node(
        "Loop", [], ["y"], "main", body=helper.make_graph([inner], "b", [], []), n=1
    )
    assert named(outer) == "operator Loop ('main')"
    assert [graph.name for graph in inner_graphs(outer)] == ["b"]
    assert [node.op_type for node in inner_nodes(outer)] == ["If", "Abs"]
    assert not list(inner_nodes(absolute))
