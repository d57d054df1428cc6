"""The reference network by hand, on the smallest cell."""

from __future__ import annotations

import pytest
import torch

from pyg_nas import Cell
from pyg_nas.nn.gcn import GCN
from pyg_nas.testing import reference_output


def test_two_vertices_by_hand() -> None:
    model = GCN(in_channels=5, hidden=1, depth=1, head=1)
    cell = Cell([[0, 1], [0, 0]], ["input", "output"])
    output, source = (cell.space.vocabulary.index(name) for name in ("output", "input"))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(0.0)
        model.convs[0].weight_out[[source, output], 0] = torch.tensor([2.0, 4.0])
        model.convs[0].weight_in[[source, output], 0] = torch.tensor([-1.0, 6.0])
        model.head.weight.fill_(3.0)
        model.output.weight.fill_(0.5)
    # Successors: the input takes (2 + 4) / 2 = 3, the output 4. Predecessors, whose rows are
    # normalised twice: the input -1, which is cut off, the output (-1/2 + 6) / (3/2) = 11/3.
    # The halves of both directions, the mean of both vertices, times 3 and 0.5.
    expected = 1.5 * ((3 + 0) / 2 + (4 + 11 / 3) / 2) / 2
    assert reference_output(model, cell) == pytest.approx(expected, abs=1e-12)
