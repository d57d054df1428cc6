"""Padded products equal message passing."""

from __future__ import annotations

import pytest
import torch

from pyg_nas.nn.dense_residual import DenseResidualInputs, ResidualGraphs, dense_residual
from pyg_nas.nn.residual_gnn import ResidualGNN, mask_shapes
from tests.nn.conftest import sparse

pytestmark = pytest.mark.engine


@pytest.mark.parametrize("dropping", [False, True])
def test_padded_products_equal_message_passing(
    network: ResidualGNN, graphs: ResidualGraphs, dropping: bool
) -> None:
    """Outputs and gradients, with and without dropout."""
    count, width = graphs.adjacency.shape[:2]
    masks = [torch.rand(shape) > 0.3 for shape in mask_shapes(network, count, count * width)]
    real = torch.arange(width) < torch.from_numpy(graphs.num_vertices.astype(int))[:, None]
    rows = [mask[:, real.flatten()] for mask in masks[:2]] + masks[2:]
    found = dense_residual(
        network,
        DenseResidualInputs.from_graphs(graphs).select(None),
        masks if dropping else None,
    )
    slopes = torch.randn_like(found)
    gradients = torch.autograd.grad(found, network.parameters(), slopes)
    expected = network(*sparse(graphs), keep=rows if dropping else None)
    torch.testing.assert_close(found, expected)
    for (name, _), one, other in zip(
        network.named_parameters(),
        gradients,
        torch.autograd.grad(expected, network.parameters(), slopes),
        strict=True,
    ):
        torch.testing.assert_close(one, other, msg=name)
