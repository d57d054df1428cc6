"""The graph of a network as data."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pyg_nas.errors import NetworkError
from pyg_nas.spaces.modules.network_graph import ATTRIBUTES, NetworkGraph, Vertex
from pyg_nas.spaces.modules.vocabulary import NUM_COLUMNS, column

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
    waiting, order = list(range(1, len(graph) - 1)), [0]
    while waiting:
        ready = [v for v in waiting if set(graph.vertices[v].sources) <= set(order)]
        order.append(random.choice(ready))
        waiting.remove(order[-1])
    order.append(len(graph) - 1)
    place = {old: new for new, old in enumerate(order)}
    moved = []
    for old in order:
        vertex = graph.vertices[old]
        sources = tuple(place[s] for s in vertex.sources)
        moved.append(Vertex(vertex.operation, str(old), sources, vertex.shape))
    assert NetworkGraph(tuple(moved)).hash == graph.hash


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
