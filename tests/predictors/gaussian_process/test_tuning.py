"""Steps of the tuning, against torch's own optimiser."""

from __future__ import annotations

import pytest
import torch

from pyg_nas.predictors.gaussian_process.tuning import most_likely


@pytest.mark.parametrize("sizes", [[10], [5, 10]])
def test_tuning_takes_the_steps_of_torchs_adam(sizes: list[int]) -> None:
    scale = torch.tensor([1.0, 10.0, 0.1], dtype=torch.float64)

    class Posterior:
        """Its loss is a quadratic function of three logarithms of different scales.

        It is proportional to the number of targets.
        """

        def __init__(self, size: int) -> None:
            self.targets = torch.zeros(size)

        def start(self) -> torch.Tensor:
            return torch.ones(3, dtype=torch.float64)

        def loss_and_gradient(self, logarithms: torch.Tensor) -> tuple[float, torch.Tensor]:
            return 0.0, len(self.targets) * scale * (logarithms + 2)

    last = Posterior(10)
    parameter = torch.nn.Parameter(last.start())
    adam = torch.optim.Adam([parameter], lr=0.1)
    cycle = torch.optim.lr_scheduler.OneCycleLR(adam, 0.1, total_steps=40, pct_start=0.1)
    for _ in range(40):
        parameter.grad = last.loss_and_gradient(parameter.detach())[1]
        adam.step()
        cycle.step()
    found = most_likely([Posterior(size) for size in sizes], steps=40)  # type: ignore[misc]
    torch.testing.assert_close(found, parameter.detach(), rtol=1e-10, atol=0)
