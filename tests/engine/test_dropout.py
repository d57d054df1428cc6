"""Dropout masks keep their share."""

from __future__ import annotations

import math

import pytest
import torch

from pyg_nas.engine.dropout import DropoutMasks


@pytest.mark.parametrize("dropout", [0.0, 0.1, 0.5])
def test_masks_drop_the_given_share(dropout: float) -> None:
    generator = torch.Generator().manual_seed(0)
    masks = DropoutMasks([generator], [(1000, 1000)], dropout, torch.device("cpu"))
    kept = masks.draw()[0].mean().item()
    # Three standard deviations of a binomial share of a million draws.
    assert kept == pytest.approx(1 - dropout, abs=3 * math.sqrt(max(dropout, 1e-12) / 1e6) + 1e-5)
