"""Features of networks, compared with networkx, brute force over all paths, and by hand."""

from __future__ import annotations

import random
from hashlib import sha256

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyg_nas.features import networks as module
from pyg_nas.features.network_costs import network_cost_names
from pyg_nas.features.networks import (
    NETWORK_FEATURE_VERSION,
    network_feature_names,
    network_features,
)
from pyg_nas.spaces.modules.network_array import NetworkArray
from pyg_nas.spaces.modules.network_graph import ATTRIBUTES, NetworkGraph, Vertex
from pyg_nas.spaces.modules.vocabulary import _KIND_BY_NAME, OPERATIONS
from tests.spaces.modules.networks import networks, random_network, reordered


def features_of(graphs: list[NetworkGraph]) -> dict[str, np.ndarray]:
    found = network_features(NetworkArray.from_graphs(graphs)).groups
    return {
        name: found[group][:, i]
        for group, names in network_feature_names().items()
        for i, name in enumerate(names)
    }


def as_networkx(graph: NetworkGraph) -> nx.DiGraph:
    made = nx.DiGraph()
    made.add_nodes_from(range(len(graph)))
    made.add_edges_from(graph.edge_index.T.tolist())
    return made


@given(networks(), st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_the_order_of_the_vertices_changes_nothing(
    graph: NetworkGraph, generator: random.Random
) -> None:
    array = NetworkArray.from_graphs([graph, reordered(graph, generator)])
    for group, features in network_features(array).groups.items():
        np.testing.assert_allclose(features[0], features[1], rtol=1e-4, atol=1e-4, err_msg=group)


@given(networks(most=9))
@settings(max_examples=30, deadline=None)
def test_paths_are_those_of_a_search_over_all_of_them(graph: NetworkGraph) -> None:
    found = features_of([graph])
    graph_nx = as_networkx(graph)
    starts = [v for v in graph_nx if graph_nx.in_degree(v) == 0]
    paths = [p for s in starts for p in nx.all_simple_paths(graph_nx, s, len(graph) - 1)]
    # Of "my_operation" there is a hashed column only.
    for kind in ("conv", "relu", "add"):
        longest = max(sum(graph.vertices[v].operation == kind for v in path) for path in paths)
        assert found[f"log longest path by {kind}"][0] == pytest.approx(np.log1p(longest))
    longest = max(sum(graph.vertices[v].macs for v in path) for path in paths)
    assert found["log longest path by multiply-accumulates"][0] == pytest.approx(
        np.log1p(longest), rel=1e-5
    )


@pytest.mark.parametrize("size", [3, 30, 400])
def test_shape_and_walks_are_those_of_networkx(size: int) -> None:
    graph = random_network(size, seed=size)
    found, wanted = features_of([graph]), as_networkx(graph)
    generations = list(nx.topological_generations(wanted))
    assert found["log depth"][0] == pytest.approx(np.log1p(nx.dag_longest_path_length(wanted)))
    assert found["log width"][0] == pytest.approx(np.log1p(max(map(len, generations))))
    assert found["log edges"][0] == pytest.approx(np.log1p(wanted.number_of_edges()))
    largest = max(degree for _, degree in wanted.out_degree())
    assert found["log largest out-degree"][0] == pytest.approx(np.log1p(largest))
    adjacency = nx.to_numpy_array(wanted, nodelist=range(size))
    for step in (1, 2, 3):
        walks = np.linalg.matrix_power(adjacency, step).sum()
        assert found[f"log walks of {step} edges"][0] == pytest.approx(np.log1p(walks))
    # A random walk against the edges, and the vertices at its two ends.
    attribute = graph.attributes()[:, 0].astype(float)
    centred = attribute - attribute.mean()
    step = adjacency.T / np.maximum(adjacency.sum(axis=0), 1)[:, None]
    wanted_covariance = np.mean(centred * (step @ step @ centred))
    assert found["covariance of log parameters over 2 edges"][0] == pytest.approx(
        wanted_covariance, rel=1e-5, abs=1e-6
    )


def test_totals_by_hand() -> None:
    graph = NetworkGraph(
        (
            Vertex("input", bytes_written=10),
            Vertex("conv", sources=(0,), parameters=9, macs=90, bytes_read=30, bytes_written=20),
            Vertex("conv", sources=(1,), parameters=1, macs=10, bytes_read=20, bytes_written=20),
            Vertex("relu", sources=(2,), bytes_read=20, bytes_written=20),
            Vertex("output", sources=(3,)),
        ),
        unused_parameters=5,
    )
    found = {name: values[0] for name, values in features_of([graph]).items()}
    wanted = {
        "log vertices": np.log(6),
        "log parameters": np.log(16),
        "log multiply-accumulates": np.log(101),
        "log bytes read": np.log(71),
        "log bytes written": np.log(71),
        "log largest bytes of a vertex": np.log(51),
        "log multiply-accumulates by bytes": np.log(101) - np.log(141),
        "log vertices of conv": np.log(3),
        "log parameters of conv": np.log(11),
        "log multiply-accumulates of relu": 0,
        "log edges from convolution to convolution": np.log(2),
        "log edges from convolution to activation": np.log(2),
        "log edges from terminal to convolution": np.log(2),
        "log edges from activation to convolution": 0,
        "mean log parameters": (np.log(10) + np.log(2)) / 5,
        "largest log parameters": np.log(10),
    }
    assert {name: found[name] for name in wanted} == pytest.approx(wanted, rel=1e-5)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    array = NetworkArray.from_graphs(random_network(n, seed=n) for n in (30, 5, 90, 4, 4))
    whole = network_features(array)
    monkeypatch.setattr(module, "_BLOCK_VERTICES", 40)
    monkeypatch.setattr(module, "_BLOCK_GRAPHS", 2)
    for group, features in network_features(array).groups.items():
        np.testing.assert_allclose(features, whole.groups[group], rtol=1e-6)
        assert np.isfinite(features).all()


def test_no_networks_have_the_same_columns() -> None:
    names = network_feature_names()
    empty = network_features(NetworkArray.from_graphs([]))
    assert {group: features.shape for group, features in empty.groups.items()} == {
        group: (0, len(names)) for group, names in names.items()
    }
    listed = [name for group in names.values() for name in group]
    assert len(set(listed)) == len(listed)


def test_a_changed_vocabulary_needs_another_version() -> None:
    """A stored model was fitted to the columns of its vocabulary, and would read others."""
    columns = [sorted(_KIND_BY_NAME.items()), OPERATIONS, ATTRIBUTES]
    names = [network_feature_names(), network_cost_names()]
    digest = sha256(repr([*columns, *names]).encode()).hexdigest()[:16]
    assert (NETWORK_FEATURE_VERSION, digest) == (3, "9abb2436831126c8")
