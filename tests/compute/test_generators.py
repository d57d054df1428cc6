"""Seeded generators of torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pyg_nas.compute.generators import seeded_generator


@pytest.mark.parametrize("seed", [7, np.int64(7), np.uint8(7)])
def test_draws_are_those_of_torch(seed: int) -> None:
    expected = torch.rand(3, generator=torch.Generator().manual_seed(7))
    assert torch.equal(torch.rand(3, generator=seeded_generator(seed)), expected)


def test_a_fraction_is_no_seed() -> None:
    with pytest.raises(TypeError):
        seeded_generator(0.5)  # type: ignore[arg-type]
