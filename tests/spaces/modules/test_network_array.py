"""Many graphs as arrays, compared with the graphs one by one."""

from __future__ import annotations

import itertools
from dataclasses import fields

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyg_nas.errors import NetworkError
from pyg_nas.spaces.modules.network_array import NetworkArray
from pyg_nas.spaces.modules.network_graph import NetworkGraph
from tests.spaces.modules.networks import networks, random_network


@given(st.lists(networks(), min_size=1, max_size=4), st.data())
@settings(max_examples=25, deadline=None)
def test_arrays_are_those_of_the_graphs(graphs: list[NetworkGraph], data: st.DataObject) -> None:
    array = NetworkArray.from_graphs(iter(graphs))
    rows = np.array(data.draw(st.lists(st.integers(0, len(graphs) - 1), max_size=5)), dtype=int)
    for found, wanted in ((array, graphs), (array.select(rows), [graphs[row] for row in rows])):
        assert len(found) == len(wanted)
        x = found.one_hot()
        for g, graph in enumerate(wanted):
            vertices = slice(found.vertex_ptr[g], found.vertex_ptr[g + 1])
            edges = slice(found.edge_ptr[g], found.edge_ptr[g + 1])
            np.testing.assert_array_equal(x[vertices], graph.features())
            np.testing.assert_array_equal(found.edges[:, edges], graph.edge_index)
        assert found.parameters.tolist() == [graph.parameters for graph in wanted]
        assert found.macs.tolist() == [graph.macs for graph in wanted]
        assert found.hashes.tolist() == [graph.hash.encode() for graph in wanted]


def test_joined_edges_make_one_graph_of_separate_parts() -> None:
    graphs = [random_network(6, seed=1), random_network(9, seed=2)]
    array = NetworkArray.from_graphs(graphs)
    joined = nx.Graph()
    joined.add_nodes_from(range(15))
    joined.add_edges_from(array.joined_edges.T.tolist())
    assert sorted(map(sorted, nx.connected_components(joined))) == [
        list(range(6)),
        list(range(6, 15)),
    ]
    assert array.graph.tolist() == [0] * 6 + [1] * 9


def test_blocks_are_as_large_as_allowed() -> None:
    array = NetworkArray.from_graphs(random_network(n, seed=n) for n in (30, 5, 90, 4, 4, 4))
    for graphs, vertices, wanted in (
        (2, 40, [[0, 1], [2], [3, 4], [5]]),  # a graph of more vertices is a block of its own
        (9, 35, [[0, 1], [2], [3, 4, 5]]),
        (9, 34, [[0], [1], [2], [3, 4, 5]]),
        (1, 999, [[0], [1], [2], [3], [4], [5]]),
        (9, 999, [[0, 1, 2, 3, 4, 5]]),
    ):
        assert [rows.tolist() for rows in array.blocks(graphs, vertices)] == wanted
    assert list(NetworkArray.from_graphs([]).blocks(2, 40)) == []


def test_sums_are_those_of_each_graph() -> None:
    graphs = [random_network(n, seed=n) for n in (6, 2, 9)]
    array = NetworkArray.from_graphs(graphs)
    columns = np.column_stack([array.attributes, array.attributes > 1])
    for values in (columns, columns[:, 0], array.columns):
        parts = np.split(values, [6, 8])
        wanted = [[sum(map(float, row)) for row in np.atleast_2d(part.T)] for part in parts]
        found = array.sums(values)
        assert found.dtype == np.float64
        np.testing.assert_allclose(found.reshape(3, -1), wanted, rtol=1e-12)


def test_the_digest_is_that_of_the_content() -> None:
    one, two = random_network(6, seed=1), random_network(6, seed=2)
    digests = [
        NetworkArray.from_graphs(graphs).digest
        for graphs in ([one, two], [one, two], [two, one], [one], [one, one])
    ]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 4


@pytest.mark.parametrize("ends", [(0, 3, 5), (0, 5, 5), (0, 1, 2, 5)])
def test_joined_parts_are_the_whole(ends: tuple[int, ...]) -> None:
    graphs = [random_network(5 + seed, seed=seed) for seed in range(5)]
    whole = NetworkArray.from_graphs(graphs)
    parts = [NetworkArray.from_graphs(graphs[a:b]) for a, b in itertools.pairwise(ends)]
    joined = NetworkArray.join(parts)
    assert joined.digest == whole.digest
    for field in fields(NetworkArray):
        assert getattr(joined, field.name).dtype == getattr(whole, field.name).dtype


def test_only_graphs_are_networks() -> None:
    with pytest.raises(NetworkError, match="must be a NetworkGraph, got str"):
        NetworkArray.from_graphs(["resnet"])
    assert len(NetworkArray.from_graphs([])) == 0
