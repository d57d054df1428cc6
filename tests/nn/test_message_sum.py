"""Sums of messages."""

from __future__ import annotations

import torch

from pyg_nas.nn.message_sum import MessageSum


def test_the_states_of_sources_are_summed() -> None:
    states = torch.tensor([[[1.0], [10.0], [100.0]], [[2.0], [20.0], [200.0]]])
    edges = torch.tensor([[0, 1, 0], [2, 2, 1]])
    expected = torch.tensor([[[0.0], [1.0], [11.0]], [[0.0], [2.0], [22.0]]])
    torch.testing.assert_close(MessageSum()(states, edges), expected)
