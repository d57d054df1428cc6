"""Scores without a label: of the shipped tables, of spaces that share them, and their limits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kendalltau

from pyg_nas.data.tables.shipped import shipped_table
from pyg_nas.errors import ModelError
from pyg_nas.graphs.registry import find_space
from pyg_nas.predictors.transfer.common_process import (
    common_scores,
    shipped_names,
    shipped_process,
    table_latents,
)
from pyg_nas.predictors.transfer.scores import check_transferable, process_scores, transfer_scores
from pyg_nas.predictors.zero_cost import propagation_numbers, weight_information_numbers


def test_scores_agree_with_the_shipped_tables() -> None:
    for name in shipped_names():
        table = shipped_table(name)
        # Untrained networks agree with the small networks of the tables less than the process.
        for scores, least in (
            (process_scores(table.cells, shipped_names()), 0.35),
            (transfer_scores(table.cells), 0.2),
        ):
            assert kendalltau(scores, table_latents(table)).statistic > least


def test_tables_and_lists_of_cells_are_scored() -> None:
    table = shipped_table(shipped_names()[0])
    scores = transfer_scores(table.cells)
    assert np.array_equal(transfer_scores(table), scores)
    assert np.array_equal(transfer_scores([table.cells[3]]), scores[3:4])
    with pytest.raises(ModelError, match="X must be a CellArray"):
        transfer_scores(table.space)


def test_architectures_have_one_score_in_both_spaces() -> None:
    small, large = (find_space(name).support for name in ("transnasbench101", "nasbench201"))
    cells = small.cells()[::100]
    texts = [large.format_text(row) for row in small.operations(cells).tolist()]
    twins = large.cells_of_texts(texts)
    np.testing.assert_allclose(transfer_scores(cells), transfer_scores(twins), rtol=1e-9)


def test_untrained_networks_rank_cells_too() -> None:
    """Six ranks of equal weight: their product."""
    support = find_space("nasbench201").support
    cells = support.cells()
    process = common_scores(shipped_process(shipped_names()), cells)
    expressivity, _, trainability = propagation_numbers(cells).T
    information = weight_information_numbers(cells).T
    values = [process, expressivity, trainability, *information, support.network.macs(cells)]
    rows = np.arange(0, len(cells), 7)
    products = np.ones(len(rows))
    for column in values:
        below = (column[None] < column[rows, None]).sum(axis=1)
        equal = (column[None] == column[rows, None]).sum(axis=1)
        products *= (below + (equal + 1) / 2) / len(cells)
    scores = transfer_scores(cells)
    assert kendalltau(products, scores[rows]).statistic > 0.999
    np.testing.assert_allclose(scores.mean(), 0, atol=1e-3)
    np.testing.assert_allclose(scores.std(), 1, atol=0.01)


def test_spaces_without_shipped_data_are_refused() -> None:
    with pytest.raises(ModelError, match="needs cells whose operations"):
        check_transferable(replace(find_space("nasbench101"), name="own"))
