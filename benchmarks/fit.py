"""Whole fits of the recipes fast and best, against the same fits by autograd on torch operations.

The baseline differentiates the process' posterior by autograd and trains the networks as a loop
over torch operations; its hyper-parameters and networks are equal up to rounding.
"""

from __future__ import annotations

import argparse
import os
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from benchmarks.measurement import interleaved, show, write_result
from pyg_nas.engine import residual
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.predictors.kernels import MaternLinearPosterior
from pyg_nas.predictors.recipes import make_estimator

RECIPES = ("fast", "best")


def gradient_by_autograd(
    posterior: MaternLinearPosterior, logarithms: Tensor
) -> tuple[Tensor, Tensor]:
    """Loss and gradient of hyper-parameters, with covariances computed from all inputs."""
    with torch.enable_grad():
        variable = logarithms.detach().requires_grad_()
        kernel = posterior.kernel(variable)
        scaled = kernel.scaled(posterior.inputs)
        noise = posterior.noise(variable) / posterior.repeats
        factor = torch.linalg.cholesky(kernel.covariance(scaled, scaled) + torch.diag(noise))
        dual = torch.cholesky_solve(posterior.targets[:, None], factor).squeeze(1)
        loss = posterior.loss(variable, factor, dual)
        return loss.detach(), torch.autograd.grad(loss, variable)[0]


def fit(recipe: str, cells: CellArray) -> None:
    # Time does not depend on the labels; these are structured and need no measurement.
    make_estimator(recipe).fit(cells, cells.trainable_parameters() / 5e7)


def fit_by_autograd(recipe: str, cells: CellArray) -> None:
    with (
        patch.object(MaternLinearPosterior, "loss_and_gradient", gradient_by_autograd),
        patch.object(residual, "use_compiled", lambda *_: False),
    ):
        fit(recipe, cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--cells", type=int, nargs="+", default=[172, 424, 1000])
    parser.add_argument("--short", action="store_true", help="172 cells once, in under a minute")
    arguments = parser.parse_args()
    counts, repeats = ([172], 1) if arguments.short else (arguments.cells, arguments.repeats)
    torch.set_num_threads(arguments.threads)
    for recipe in RECIPES:  # compiles, and reads the shipped data
        fit(recipe, sample_cells(40, seed=1))
    found: dict[int, dict[str, float]] = {}
    for count in counts:
        cells = sample_cells(count, seed=0)
        contenders: dict[str, Any] = {}
        for recipe in RECIPES:
            contenders[recipe] = lambda r=recipe, c=cells: fit(r, c)
            contenders[f"{recipe} by autograd"] = lambda r=recipe, c=cells: fit_by_autograd(r, c)
        found[count] = interleaved(contenders, repeats, warmups=0)
    ratios = {
        count: {r: seconds[f"{r} by autograd"] / seconds[r] for r in RECIPES}
        for count, seconds in found.items()
    }
    show(
        "Seconds for a fit",
        ["cells", *found[counts[0]], *(f"ratio of {r}" for r in RECIPES)],
        [
            [
                str(count),
                *(f"{value:.2f}" for value in seconds.values()),
                *(f"{value:.2f}" for value in ratios[count].values()),
            ]
            for count, seconds in found.items()
        ],
    )
    if not arguments.short:
        write_result("fit", {"repeats": repeats, "seconds": found, "ratios": ratios})


if __name__ == "__main__":
    main()
