"""Columns of a block, and the best rows against a full sort."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pyg_nas.errors import ModelError
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.scoring.blocks import Architectures, StoredBlock
from pyg_nas.scoring.scores import ScoringTask, best, score_block

CELLS = sample_cells(6, seed=3)


class Edges:
    """Predicts the number of edges, with std."""

    provides_std = True

    def predict(self, cells, return_std=False):
        scores = cells.num_edges.astype(float)
        return (scores, scores / 10) if return_std else scores


def test_a_block_has_hashes_scores_rows_and_texts() -> None:
    block = StoredBlock(100, Architectures(CELLS, None, [f"é{n}" for n in range(6)]))
    before = torch.get_num_threads()
    columns = score_block(ScoringTask(Edges(), threads=1), 0, block)
    assert torch.get_num_threads() == before
    assert columns["hash"].tolist() == CELLS.hashes().tolist()
    assert columns["row"].tolist() == list(range(100, 106))
    np.testing.assert_array_equal(columns["score"], CELLS.num_edges)
    np.testing.assert_allclose(columns["std"], CELLS.num_edges / 10)
    assert columns["arch"][2].decode() == "é2"


def test_a_score_that_is_no_number_is_named() -> None:
    class Odd(Edges):
        provides_std = False

        def predict(self, cells, return_std=False):
            return np.where(np.arange(len(cells)) == 3, np.nan, 0.5)

    with pytest.raises(ModelError, match=f"got nan for architecture {CELLS[3].hash}"):
        score_block(ScoringTask(Odd()), 0, StoredBlock(0, Architectures(CELLS)))


def test_rows_behind_the_bound_are_left_out_and_ties_are_kept() -> None:
    edges = CELLS.num_edges
    bound = int(np.sort(edges)[2])
    block = StoredBlock(0, Architectures(CELLS, None, [f"{n}" for n in range(6)]))
    columns = score_block(ScoringTask(Edges(), False, top=6), 0, block, float(bound))
    expected = sorted(np.flatnonzero(edges <= bound).tolist(), key=lambda row: (edges[row], row))
    assert columns["row"].tolist() == expected
    nothing = score_block(ScoringTask(Edges(), top=6), 0, block, -100.0)
    assert nothing["hash"].dtype.kind == nothing["arch"].dtype.kind == "S"
    assert best([columns, nothing], 6, False)["row"].tolist() == expected


@given(
    st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=8), min_size=1, max_size=5),
    st.integers(1, 12),
    st.booleans(),
)
def test_the_best_of_all_parts_are_those_of_a_full_sort(parts, count, larger_is_better) -> None:
    row, blocks = 0, []
    for scores in parts:
        rows = np.arange(row, row + len(scores))
        blocks.append({"score": np.array(scores, dtype=float), "row": rows})
        row += len(scores)
    found = best(blocks, count, larger_is_better)
    flat = [score for scores in parts for score in scores]
    order = sorted(range(row), key=lambda r: (-flat[r] if larger_is_better else flat[r], r))
    assert found["row"].tolist() == order[:count]
