from __future__ import annotations

import numpy as np
import pytest

from pyg_nas.graphs.hashing import hash_graph, hash_graphs
from pyg_nas.graphs.ragged import RaggedGraphs, pointers
from pyg_nas.spaces.nasbench101 import nasbench101_cells


def random_graphs(count: int, most: int, seed: int) -> RaggedGraphs:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, most + 1, count)
    edges = []
    for size in sizes.tolist():
        chosen = np.triu(rng.random((size, size)) < rng.random(), 1)
        edges.append(np.array(np.nonzero(chosen)))
    return RaggedGraphs(
        pointers(sizes),
        rng.integers(-2, 130, sizes.sum()),
        pointers(np.array([pairs.shape[1] for pairs in edges])),
        np.concatenate(edges, axis=1),
    )


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba")
    monkeypatch.setattr("pyg_nas.graphs.hashing._fewest_compiled", lambda: 1)


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize(("count", "most"), [(150, 12), (3, 130)])
def test_compiled_hashes_are_those_of_hashlib(count: int, most: int) -> None:
    graphs = random_graphs(count, most, seed=count)
    v, e = graphs.vertex_ptr, graphs.edge_ptr
    expected = [
        hash_graph(graphs.edges[:, e[i] : e[i + 1]], graphs.operations[v[i] : v[i + 1]])
        for i in range(count)
    ]
    assert [digest.decode() for digest in hash_graphs(graphs)] == expected


@pytest.mark.usefixtures("compiled")
def test_many_tasks_give_what_one_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    few = nasbench101_cells()[::3_000]
    monkeypatch.setattr("pyg_nas.graphs.numba_hashing._GRAPHS_A_TASK", 20)
    assert [digest.decode() for digest in few.hashes()] == [cell.hash for cell in few]


def test_code_that_is_loaded_hashes_few_graphs_too(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba")
    from pyg_nas.graphs import numba_hashing

    hashed: list[int] = []

    def hash_small_graphs(graphs: RaggedGraphs) -> np.ndarray:
        hashed.append(len(graphs))
        return np.zeros(len(graphs), dtype="S32")

    monkeypatch.delenv("PYG_NAS_ENGINE", raising=False)
    monkeypatch.setattr(numba_hashing, "hash_small_graphs", hash_small_graphs)
    hash_graphs(random_graphs(3, 5, seed=1))
    assert hashed == [3]
