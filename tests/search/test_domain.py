"""Domains: uniform sampling, mutation and neighbourhoods in a whole space and in a part."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chisquare

from pyg_nas.data.tables.table import Table
from pyg_nas.errors import SettingsError
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.edit_distance import EditDistance
from pyg_nas.graphs.enumeration import enumerate_cells
from pyg_nas.graphs.mutation import Genotype, neighbours
from pyg_nas.search.domain import NEAREST, Domain
from pyg_nas.spaces.nasbench101 import NASBENCH101
from tests.search.conftest import SMALL


def test_sampling_is_uniform_over_cells_not_over_labelled_graphs() -> None:
    domain = Domain(SMALL, enumerate_cells(SMALL))
    rng = np.random.default_rng(0)
    rows = {domain.hash_at(row): row for row in range(len(domain))}
    counts = np.zeros(len(domain))
    for _ in range(60):
        for cell in domain.sample(100, (), rng):
            counts[rows[cell.hash]] += 1
    # Draws without replacement vary less than the test's multinomial: it stays conservative.
    assert chisquare(counts).pvalue > 0.01


def test_samples_are_new_until_nothing_is_left(partial_table: Table) -> None:
    domain = Domain(SMALL, partial_table.cells, partial_table.hashes)
    rng = np.random.default_rng(0)
    asked: set[str] = set()
    for _ in range(9):
        drawn = [cell.hash for cell in domain.sample(7, asked, rng)]
        assert len(set(drawn)) == len(drawn)
        assert not asked & set(drawn)
        asked |= set(drawn)
    assert len(asked) == len(partial_table)
    assert domain.sample(3, asked, rng) == []


def test_mutants_outside_a_part_become_the_nearest_cell_left(partial_table: Table) -> None:
    domain = Domain(SMALL, partial_table.cells, partial_table.hashes)
    rng = np.random.default_rng(0)
    parent = Genotype.of_cell(partial_table.cells[0], rng)
    asked = {parent.cell.hash}
    inside = {digest.decode() for digest in partial_table.hashes}
    while (child := domain.mutant(parent, asked, rng)) is not None:
        assert child.cell.hash in inside - asked
        asked.add(child.cell.hash)
    assert asked == inside  # a search can always go on until the table is used up


def test_the_walk_ends_at_the_least_edit_distance(
    partial_table: Table, whole_table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain = Domain(SMALL, partial_table.cells, partial_table.hashes)
    distance = EditDistance(partial_table.cells)
    rng = np.random.default_rng(0)
    for row in range(0, len(whole_table), 23):
        outside = whole_table.cells[row]
        if outside in partial_table:
            continue
        fixed = Genotype.of_cell(outside, rng)
        monkeypatch.setattr("pyg_nas.search.domain.mutate", lambda parent, rng, g=fixed: g)
        distances = distance(outside)
        asked = {partial_table.hashes[i].decode() for i in np.argsort(distances)[:4]}
        child = domain.mutant(fixed, asked, rng)
        assert child is not None
        left = [
            d
            for d, h in zip(distances, partial_table.hashes, strict=True)
            if h.decode() not in asked
        ]
        assert distances[partial_table.index_of(child.cell)] == min(left)


def test_neighbourhood_of_a_part_is_its_nearest_cells(partial_table: Table) -> None:
    domain = Domain(SMALL, partial_table.cells, partial_table.hashes)
    cell = partial_table.cells[5]
    near = domain.neighbourhood(cell)
    distances = EditDistance(partial_table.cells)(cell)
    assert len(near) == NEAREST
    assert cell not in near
    found = sorted(int(distances[partial_table.index_of(c)]) for c in near)
    assert found == np.sort(distances)[1 : NEAREST + 1].tolist()
    assert domain.neighbourhood(cell) == near


def test_whole_space_needs_no_walking(whole_table: Table) -> None:
    domain = Domain(SMALL)
    cell = whole_table.cells[50]
    assert cell in domain
    assert set(domain.neighbourhood(cell)) == set(neighbours(cell))
    assert len(domain) == len(whole_table)


def test_a_part_by_mask(partial_table: Table) -> None:
    domain = Domain(SMALL, partial_table.cells, partial_table.hashes)
    keep = partial_table.cells.num_edges <= 5
    part = domain.where(keep)
    assert len(part) == keep.sum()
    assert all((cell in part) == (cell.num_edges <= 5) for cell in partial_table.cells)
    with pytest.raises(SettingsError, match="small"):
        Domain(NASBENCH101, partial_table.cells)


def test_the_nearest_cells_are_drawn_from_at_random(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = enumerate_cells(SMALL)
    part = cells[np.random.default_rng(1).permutation(len(cells))[:60]]
    domain = Domain(SMALL, part)
    distance = EditDistance(part)

    def ties(cell: Cell) -> int:
        return int((distance(cell) == distance(cell).min()).sum())

    outside = next(cell for cell in cells if cell not in domain and ties(cell) > 1)
    rng = np.random.default_rng(0)
    monkeypatch.setattr(
        "pyg_nas.search.domain.mutate", lambda parent, rng: Genotype.of_cell(outside, rng)
    )
    parent = Genotype.of_cell(outside, rng)
    found = {domain.mutant(parent, (), rng).cell.hash for _ in range(60)}  # type: ignore[union-attr]
    distances = distance(outside)
    nearest = {domain.hash_at(int(row)) for row in np.flatnonzero(distances == distances.min())}
    assert found == nearest
