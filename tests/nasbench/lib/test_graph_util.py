"""The official package's graph functions, against brute force and known counts."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from pyg_nas.graphs.enumeration import enumerate_cells, sample_cells
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.nasbench.lib import graph_util
from pyg_nas.spaces.nasbench101 import NASBENCH101


def test_bits_fill_the_columns_from_the_first_on() -> None:
    names = "ABCDEF"
    expected = [[None, "A", "B", "D"], [None, None, "C", "E"], [None, None, None, "F"], [None] * 4]
    for bits in range(64):
        found = np.fromfunction(graph_util.gen_is_edge_fn(bits), (4, 4), dtype=np.int8)
        for u, v in itertools.product(range(4), repeat=2):
            name = expected[u][v]
            assert found[u, v] == (name is not None and bits >> names.index(name) & 1)
            assert found.dtype == np.int64  # written to JSON files as 0 and 1
    assert graph_util.gen_is_edge_fn(2**20)(np.int8(5), np.int8(6))


def test_full_dags_are_those_without_a_dead_vertex() -> None:
    for bits in range(1024):
        matrix = np.fromfunction(graph_util.gen_is_edge_fn(bits), (5, 5), dtype=np.int8)
        reach = np.linalg.matrix_power(matrix.astype(int) + np.eye(5, dtype=int), 5) > 0
        assert graph_util.is_full_dag(matrix) == bool((reach[0] & reach[:, -1]).all())
        assert graph_util.num_edges(matrix) == bits.bit_count()


def test_the_official_generator_finds_all_small_cells() -> None:
    space = SearchSpace("small", NASBENCH101.operations, 4, 9, NASBENCH101.terminals)
    buckets: dict[str, tuple[Any, list[int]]] = {}
    for v in range(2, 5):
        for bits in range(2 ** (v * (v - 1) // 2)):
            matrix = np.fromfunction(graph_util.gen_is_edge_fn(bits), (v, v), dtype=np.int8)
            if not graph_util.is_full_dag(matrix) or graph_util.num_edges(matrix) > 9:
                continue
            for inner in itertools.product(range(3), repeat=v - 2):
                labels = [-1, *inner, -2]
                digest = graph_util.hash_module(matrix, labels)
                if digest in buckets:
                    assert graph_util.is_isomorphic((matrix, labels), buckets[digest])
                buckets.setdefault(digest, (matrix, labels))
    cells = enumerate_cells(space)
    assert sorted(buckets) == sorted(digest.decode() for digest in cells.hashes())


def test_permuted_graphs_are_isomorphic_and_others_are_not() -> None:
    cells = sample_cells(40, 0)
    graphs = [(cell.adjacency, cell.operation_ids.tolist()) for cell in cells]
    rng = np.random.default_rng(0)
    for i, (matrix, labels) in enumerate(graphs):
        order = rng.permutation(len(labels)).tolist()
        permuted = graph_util.permute_graph(matrix, labels, order)
        for u, v in itertools.product(range(len(labels)), repeat=2):
            assert permuted[0][order[u], order[v]] == bool(matrix[u, v])
        assert [permuted[1][order[v]] for v in range(len(labels))] == labels
        assert graph_util.is_isomorphic((matrix, labels), permuted)
        assert graph_util.hash_module(*permuted) == cells[i].hash
        assert not graph_util.is_isomorphic((matrix, labels), graphs[i - 1])


def test_equal_degrees_do_not_make_graphs_isomorphic() -> None:
    two_triangles = np.kron(np.eye(2, dtype=int), np.roll(np.eye(3, dtype=int), 1, axis=1))
    hexagon = np.roll(np.eye(6, dtype=int), 1, axis=1)
    labels = [0] * 6
    assert not graph_util.is_isomorphic((two_triangles, labels), (hexagon, labels))
    assert graph_util.is_isomorphic((hexagon, labels), (hexagon.T, labels))
    assert not graph_util.is_isomorphic((hexagon, labels), (hexagon, [*labels[1:], 1]))
    assert not graph_util.is_isomorphic((hexagon, labels), (hexagon[:5, :5], labels[:5]))


@pytest.mark.parametrize("bits", [0, 1])
def test_two_vertices(bits: int) -> None:
    matrix = np.fromfunction(graph_util.gen_is_edge_fn(bits), (2, 2), dtype=np.int8)
    assert graph_util.is_full_dag(matrix) is bool(bits)
