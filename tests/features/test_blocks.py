"""Extra groups of features of all cells: blocks, rows and the cache."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from pyg_nas.compute.threads import single_threaded_pool
from pyg_nas.features import blocks as cell_blocks
from pyg_nas.features.blocks import ExtraGroup, extended_features
from pyg_nas.features.graph_features import CellFeatures, cell_features
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.graphs.registry import default_space
from pyg_nas.spaces.nasbench101 import nasbench101_cells
from tests.measure.conftest import chain

Compute = Callable[[CellArray, CellFeatures], np.ndarray]


@pytest.fixture(autouse=True)
def nothing_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(default_space().support, "_caches", {})


def groups_by(computes: dict[str, Compute]) -> list[ExtraGroup]:
    return [ExtraGroup(name, compute, lambda space: "data") for name, compute in computes.items()]


def all_groups_of(cells: CellArray, computes: dict[str, Compute]) -> dict[str, np.ndarray]:
    """The extra groups that all blocks were used with."""
    blocks: dict[int, Mapping[str, np.ndarray]] = {}

    def use(rows: slice, block: CellArray, features: CellFeatures) -> None:
        np.testing.assert_array_equal(block.operations, cells.operations[rows])
        blocks[rows.start] = features.groups

    cell_blocks.map_blocks(cells, groups_by(computes), use)
    in_order = [blocks[start] for start in sorted(blocks)]
    return {name: np.concatenate([block[name] for block in in_order]) for name in computes}


def group_of(cells: CellArray, name: str, compute: Compute) -> np.ndarray:
    return all_groups_of(cells, {name: compute})[name]


def edges_and_vertices(cells: CellArray, features: CellFeatures) -> np.ndarray:
    counts = [cells.adjacency.sum(axis=(1, 2)), features.groups["graph"][:, 1]]
    return np.stack(counts, axis=1).astype(np.float32)


def test_of_some_cells_they_are_computed_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cell_blocks, "FEATURE_BLOCK", 7)
    for cells in (sample_cells(50, seed=2), sample_cells(30, seed=2)):
        found = group_of(cells, "some", edges_and_vertices)
        np.testing.assert_array_equal(found[:, 0], cells.adjacency.sum(axis=(1, 2)))
        np.testing.assert_array_equal(found[:, 1], cells.num_vertices)


def test_what_the_first_block_prepares_is_there_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cell_blocks, "FEATURE_BLOCK", 5)
    monkeypatch.setattr(cell_blocks, "single_threaded_pool", lambda _: single_threaded_pool(2))
    events: list[str] = []

    def recorded(part: CellArray, features: CellFeatures) -> np.ndarray:
        events.append("begins")
        time.sleep(0.02)
        events.append("ends")
        return edges_and_vertices(part, features)

    group_of(sample_cells(20, seed=5), "slow", recorded)
    assert len(events) == 8
    assert events[:2] == ["begins", "ends"]


def counted_features(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of cells whose features are computed from here on."""
    computed: list[int] = []

    def counted(cells: CellArray) -> CellFeatures:
        computed.append(len(cells))
        return cell_features(cells)

    monkeypatch.setattr(cell_blocks, "cell_features", counted)
    return computed


def test_features_of_few_cells_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cell_blocks, "FEATURE_BLOCK", 7)
    computed = counted_features(monkeypatch)
    few, many = sample_cells(28, seed=9), sample_cells(29, seed=9)
    for _ in range(2):
        for cells in (few, many):
            found = group_of(cells, "some", edges_and_vertices)
            np.testing.assert_array_equal(found[:, 1], cells.num_vertices)
    assert computed.count(7) == 4 + 2 * 4
    assert computed.count(1) == 2


@pytest.mark.parametrize("without_vertices", [True, False])
def test_features_of_many_cells_are_kept_for_the_next_fit(
    without_vertices: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cell_blocks, "FEATURE_BLOCK", 5)
    computed = counted_features(monkeypatch)
    cells = sample_cells(40, seed=5)
    expected = cell_features(cells).groups["graph"]
    for again in (False, True, False):
        found = np.empty_like(expected)

        def use(
            rows: slice, block: CellArray, features: CellFeatures, found: np.ndarray = found
        ) -> None:
            assert without_vertices or features.vertex.shape[1] > 0
            found[rows] = features.groups["graph"]

        cell_blocks.map_blocks(cells, (), use, without_vertices, again)
        np.testing.assert_array_equal(found, expected)
    assert sum(computed) == 40 * (2 if without_vertices else 3)


def test_the_same_cells_again_are_not_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cell_blocks, "FEATURE_BLOCK", 7)
    calls: list[int] = []

    def count(part: CellArray, features: CellFeatures) -> np.ndarray:
        calls.append(len(part))
        return edges_and_vertices(part, features)

    cells, others = sample_cells(20, seed=3), sample_cells(20, seed=4)
    first = group_of(cells, "some", count)
    copy = pickle.loads(pickle.dumps(cells))
    for same in (cells, copy):
        np.testing.assert_array_equal(group_of(same, "some", count), first)
    assert sum(calls) == 20
    assert (group_of(others, "some", count) != first).any()
    assert sum(calls) == 40


def test_a_group_of_other_data_is_computed_again() -> None:
    cells, found = sample_cells(20, seed=12), []
    for digest in ("one", "other"):
        number = np.float32(len(found))
        group = ExtraGroup(
            "some", lambda part, _, n=number: np.full((20, 1), n), lambda space, d=digest: d
        )
        cell_blocks.map_blocks(
            cells, [group], lambda rows, block, features: found.append(features.groups["some"])
        )
    np.testing.assert_array_equal(found[1], 1)


def test_other_cells_of_another_thread_are_not_mixed_in() -> None:
    cells, others = sample_cells(20, seed=7), sample_cells(20, seed=8)
    expected = group_of(cells, "some", edges_and_vertices)

    def interrupted(part: CellArray, features: CellFeatures) -> np.ndarray:
        group_of(others, "some", edges_and_vertices)
        return edges_and_vertices(part, features)

    computes = {"some": edges_and_vertices, "slow": interrupted}
    found = all_groups_of(cells, computes)
    np.testing.assert_array_equal(found["some"], expected)


def test_features_of_a_block_serve_all_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def count(part: CellArray) -> CellFeatures:
        calls.append(len(part))
        return cell_features(part)

    monkeypatch.setattr(cell_blocks, "cell_features", count)
    cells = sample_cells(20, seed=6)
    both = {
        "one": edges_and_vertices,
        "other": lambda part, features: -edges_and_vertices(part, features),
    }
    found = all_groups_of(cells, both)
    assert calls == [20]
    np.testing.assert_array_equal(found["one"], -found["other"])
    # What is known of one name is not computed again for the sake of another.
    calls.clear()

    def fails(part: CellArray, features: CellFeatures) -> np.ndarray:
        raise AssertionError("this group is known")

    group_of(cells, "third", edges_and_vertices)
    found = all_groups_of(cells, {"one": fails, "third": fails})
    np.testing.assert_array_equal(found["one"], found["third"])
    assert not calls


def test_what_a_failed_pass_computed_is_not_kept() -> None:
    cells = sample_cells(20, seed=9)

    def fails(*_: object) -> None:
        raise RuntimeError("in use")

    with pytest.raises(RuntimeError, match="in use"):
        cell_blocks.map_blocks(cells, groups_by({"half": edges_and_vertices}), fails)
    other = group_of(cells, "half", lambda part, features: -edges_and_vertices(part, features))
    np.testing.assert_array_equal(other[:, 1], -cells.num_vertices)


def test_of_the_space_they_are_computed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = nasbench101_cells()
    monkeypatch.setenv("PYG_NAS_CACHE", str(tmp_path))
    calls: list[int] = []

    def count(part: CellArray, features: CellFeatures) -> np.ndarray:
        calls.append(len(part))
        return part.num_vertices[:, None].astype(np.float32)

    monkeypatch.setattr(cell_blocks, "cell_features", lambda part: CellFeatures({}, None))
    for name in ("first", "second"):
        found = group_of(cells, name, count)
        np.testing.assert_array_equal(found[:, 0], cells.num_vertices)
        assert sum(calls) == len(cells)
        calls.clear()
    # Another process finds the file.
    monkeypatch.setattr(default_space().support, "_caches", {})
    group_of(cells, "first", count)
    assert not calls


def test_cells_of_one_shape_and_other_operations_are_other_cells() -> None:
    def second(part: CellArray, features: CellFeatures) -> np.ndarray:
        return part.operations[:, 1:2].astype(np.float32)

    for names in (
        ("conv3x3-bn-relu", "maxpool3x3"),
        ("maxpool3x3", "conv3x3-bn-relu"),
        ("maxpool3x3", "conv1x1-bn-relu"),
    ):
        cells = CellArray.from_cells(map(chain, names))
        found = all_groups_of(cells, {"second": second})["second"]
        np.testing.assert_array_equal(found[:, 0], cells.operations[:, 1])


def test_extra_groups_leave_the_features_as_they_were() -> None:
    cells = sample_cells(20, seed=10)
    plain = cell_features(cells)
    extended = extended_features(cells, groups_by({"some": edges_and_vertices}))
    assert set(extended.groups) == {*plain.groups, "some"}
    np.testing.assert_array_equal(extended.groups["some"], edges_and_vertices(cells, plain))
    assert set(cell_features(cells).groups) == set(plain.groups)
