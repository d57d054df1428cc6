"""The graph of a network as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations, product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pyg_nas.errors import NetworkError
from pyg_nas.spaces.modules.network_graph import ATTRIBUTES, NetworkGraph, Vertex
from pyg_nas.spaces.modules.vocabulary import NUM_COLUMNS, column
from tests.spaces.modules.networks import reordered

KINDS = ("relu", "tanh", "add", "matmul")


@st.composite
def networks(draw: st.DrawFn) -> NetworkGraph:
    vertices = [Vertex("input", shape=(1, 2))]
    for position in range(1, draw(st.integers(2, 8))):
        sources = draw(st.lists(st.integers(0, position - 1), min_size=1, max_size=3))
        vertices.append(Vertex(draw(st.sampled_from(KINDS)), sources=tuple(sources)))
    read = {source for vertex in vertices for source in vertex.sources}
    ends = tuple(i for i in range(len(vertices)) if i not in read)
    return NetworkGraph((*vertices, Vertex("output", sources=ends)))


@given(networks(), st.randoms(use_true_random=False))
def test_the_hash_is_that_of_any_order_of_the_vertices(graph: NetworkGraph, random) -> None:
    moved = reordered(graph, random)
    renamed = [replace(vertex, name=str(place)) for place, vertex in enumerate(moved.vertices)]
    assert NetworkGraph(tuple(renamed)).hash == graph.hash


def _in_all_orders(graph: NetworkGraph) -> tuple[object, ...]:
    """Return the first one of the descriptions of a graph in all orders of its vertices."""
    found = []
    for inner in permutations(range(len(graph) - 1)):
        order = [*inner, len(graph) - 1]
        place = {old: new for new, old in enumerate(order)}
        described = []
        for old in order:
            vertex = graph.vertices[old]
            sources = [place[source] for source in vertex.sources]
            ordered = vertex.operation in ("add", "output")
            described.append((vertex.operation, *(sorted(sources) if ordered else sources)))
        found.append(tuple(described))
    return min(found)


def _of_two_inputs(links: Sequence[tuple[int, int]]) -> NetworkGraph:
    """Return the graph of two inputs, each of which a function reads, and sums and products."""
    kinds = ("relu", "relu", "add", "matmul")
    inner = [
        Vertex(kind, sources=both[: 1 if kind == "relu" else 2])
        for kind, both in zip(kinds, links, strict=True)
    ]
    vertices = [Vertex("input"), Vertex("input"), *inner]
    read = {source for vertex in vertices for source in vertex.sources}
    ends = tuple(i for i in range(len(vertices)) if i not in read)
    return NetworkGraph((*vertices, Vertex("output", sources=ends)))


def test_networks_have_one_hash_if_and_only_if_they_are_one_graph() -> None:
    sources = [product(range(i), repeat=2) for i in (2, 2, 4, 4)]
    graphs = [_of_two_inputs(links) for links in product(*sources)][::9]
    forms = {graph.hash: _in_all_orders(graph) for graph in graphs}
    assert len({graph.hash for graph in graphs}) == len(set(forms.values()))
    assert all(forms[graph.hash] == _in_all_orders(graph) for graph in graphs[::5])


def _pairs(cross: bool, blocks: int) -> NetworkGraph:
    """Return blocks of two equal branches, which read each other or themselves."""
    vertices = [Vertex("input")]
    for _ in range(blocks):
        last = len(vertices) - 1
        branches = [Vertex("conv", sources=(last,)) for _ in range(2)]
        others = (last + 2, last + 1) if cross else (last + 1, last + 2)
        sums = [Vertex("matmul", sources=(last + 1 + i, other)) for i, other in enumerate(others)]
        vertices += [*branches, *sums, Vertex("add", sources=(last + 3, last + 4))]
    return NetworkGraph((*vertices, Vertex("output", sources=(len(vertices) - 1,))))


def test_equal_branches_that_read_each_other_or_themselves() -> None:
    assert len({_pairs(cross, blocks).hash for cross in (0, 1) for blocks in (1, 2, 3)}) == 6


def test_which_results_an_operation_reads_from_two() -> None:
    def crossed(first: str, second: str, settings: str) -> NetworkGraph:
        ends = Vertex("add", sources=(1, 2), settings=settings), Vertex("output", sources=(3,))
        return NetworkGraph(
            (Vertex("input"), *(Vertex(name, sources=(0,)) for name in (first, second)), *ends)
        )

    one = crossed("split", "unbind", "results=1,0")
    assert one.hash == crossed("unbind", "split", "results=0,1").hash
    assert one.hash != crossed("split", "unbind", "results=0,1").hash


def test_a_shared_vertex_is_not_two_vertices() -> None:
    one = NetworkGraph(
        (
            Vertex("input"),
            Vertex("relu", sources=(0,)),
            Vertex("add", "", (1, 1)),
            Vertex("output", "", (2,)),
        )
    )
    two = NetworkGraph(
        (
            Vertex("input"),
            Vertex("relu", "", (0,)),
            Vertex("relu", "", (0,)),
            Vertex("add", "", (1, 2)),
            Vertex("output", "", (3,)),
        )
    )
    assert one.hash != two.hash
    assert one.num_edges == 3


def test_data_by_hand() -> None:
    conv = Vertex("conv", "c", (0,), (1, 8, 4, 4), "float16", (3, 3), (2, 2), 2, 1, 9, 9, 50, 7, 6)
    graph = NetworkGraph(
        (
            Vertex("input", shape=(1, 3, 8, 8)),
            conv,
            Vertex("mystery", "", (1,)),
            Vertex("output", "", (2,)),
        ),
        4,
    )
    data = graph.to_data()
    assert data.x.shape == (4, NUM_COLUMNS + len(ATTRIBUTES))
    assert data.edge_index.tolist() == [[0, 1, 2], [1, 2, 3]]
    assert (data.parameters, data.macs) == (13, 50)
    assert torch.equal(data.x[:, :NUM_COLUMNS].sum(dim=1), torch.ones(4))
    expected = [*np.log1p([9, 50, 7, 6, 128, 8, 16]), 3, 2, np.log(2), 0, 2]
    assert data.x[1, NUM_COLUMNS:].tolist() == pytest.approx(expected, rel=1e-6)
    assert data.x[2, column("mystery")] == 1
    assert NUM_COLUMNS - 8 <= column("mystery") < NUM_COLUMNS


def test_a_vertex_that_reads_a_later_one() -> None:
    with pytest.raises(NetworkError, match=r"vertex 1 .relu. reads .2,."):
        NetworkGraph((Vertex("input"), Vertex("relu", sources=(2,)), Vertex("output")))
    with pytest.raises(NetworkError, match="last vertex"):
        NetworkGraph((Vertex("input"),))
