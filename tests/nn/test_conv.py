"""The normalisation of both directions by hand, and the activation."""

from __future__ import annotations

import torch

from pyg_nas.nn.conv import BiGCNConv, normalize


def test_normalisation_by_hand() -> None:
    """0 -> 1, 0 -> 2, 1 -> 2: weights worked out on paper."""
    p = normalize(torch.tensor([[0, 0, 1], [1, 2, 2]]), 3)
    outward = torch.zeros(3, 3)
    outward[p.outward_index[1], p.outward_index[0]] = p.outward_weight
    inward = torch.zeros(3, 3)
    inward[p.inward_index[1], p.inward_index[0]] = p.inward_weight
    third = 1 / 3
    torch.testing.assert_close(
        outward, torch.tensor([[third, third, third], [0, 0.5, 0.5], [0, 0, 1]])
    )
    # Column sums of Â: 1/3, 1/3 + 1/2, 1/3 + 1/2 + 1.
    a, b = 1 / 3 + 1 / 2, 1 / 3 + 1 / 2 + 1
    torch.testing.assert_close(
        inward,
        torch.tensor(
            [[1, 0, 0], [third / a, 0.5 / a, 0], [third / b, 0.5 / b, 1 / b]], dtype=torch.float32
        ),
    )


def test_the_activation_is_that_of_the_paper() -> None:
    values = torch.tensor([-2.0, 0.0, 3.0])
    assert BiGCNConv.activation(values).tolist() == [0, 0, 3]
