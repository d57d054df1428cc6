"""The process of a space: which tables it uses, and for which spaces there is one."""

from __future__ import annotations

import numpy as np

from pyg_nas.data.tables.shipped import shipped_table
from pyg_nas.graphs.registry import find_space
from pyg_nas.predictors.transfer.common_process import shipped_names, table_latents
from pyg_nas.predictors.transfer.space_process import space_process


def test_it_is_fitted_to_the_mean_of_the_tables_of_the_space() -> None:
    space = find_space("nasbench201")
    process = space_process(space, shipped_names(), ())
    assert process is not None
    known: dict[bytes, list[float]] = {}
    for name in space.support.common_tables:
        table = shipped_table(name)
        for digest, latent in zip(table.hashes, table_latents(table), strict=True):
            known.setdefault(digest, []).append(latent)
    means = [np.mean(latents) for latents in known.values() if len(latents) == 2]
    np.testing.assert_allclose(np.sort(process.training_labels()), np.sort(means), atol=1e-6)


def test_a_space_of_twins_has_one_with_its_own_features() -> None:
    space = find_space("transnasbench101")
    process = space_process(space, shipped_names(), ())
    assert process is not None
    assert process.space_ == space
    assert len(process.predict(space.support.cells())) == len(space.support.cells())
    # Some cells have one twin, whose label is used once.
    measured = set.intersection(
        *(
            set(shipped_table(name).hashes.tolist())
            for name in find_space("nasbench201").support.common_tables
        )
    )
    twins = set(space.support.twins(space.support.cells()).hashes().tolist())
    assert len(process.training_labels()) == len(measured & twins)


def test_without_a_table_of_the_space_there_is_none() -> None:
    space = find_space("nasbench201")
    assert space_process(space, find_space("nasbench101").support.common_tables, ()) is None
