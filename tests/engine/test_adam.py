"""One cycle against torch's scheduler."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pyg_nas.engine.adam import one_cycle


@pytest.mark.parametrize(("steps", "rising"), [(2, 0.15), (7, 0.15), (60, 0.1), (333, 0.5)])
def test_one_cycle_is_that_of_torch(steps: int, rising: float) -> None:
    optimizer = torch.optim.AdamW([torch.zeros(1)])
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 0.02, total_steps=steps, pct_start=rising
    )
    expected = []
    for _ in range(steps):
        (group,) = optimizer.param_groups
        expected.append((group["lr"], group["betas"][0]))
        optimizer.step()
        schedule.step()
    np.testing.assert_allclose(np.transpose(one_cycle(steps, 0.02, rising)), expected, rtol=1e-12)
