"""Layers for the user's own networks: a cell as a module, and a frozen part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from pyg_nas.errors import MeasureError, listed, quoted
from pyg_nas.graphs.ragged import adjacency_lists
from pyg_nas.io.user_code import user_call

if TYPE_CHECKING:
    from pyg_nas.graphs.cell import Cell

Operation = Callable[[int], nn.Module]
"""Returns a module that maps ``[B, channels, ...]`` to the same shape."""


class CellModule(nn.Module):
    """A cell as a module: each vertex adds its inputs and applies its operation to the sum.

    The output adds its inputs, so that images ``[B, C, H, W]`` keep their shape.

    Args:
        cell: The cell.
        operations: Makes the module of each operation from the number of channels, by name.
        channels: ``C``.

    Raises:
        MeasureError: If an operation is missing, fails or makes no module.
    """

    def __init__(self, cell: Cell, operations: Mapping[str, Operation], channels: int) -> None:
        super().__init__()
        self.names = cell.operations
        _, self.sources = adjacency_lists(cell.edges, len(cell.operations))
        self.vertices = nn.ModuleList(
            _operation(name, operations, channels) for name in cell.operations[1:-1]
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, C, H, W]`` to the same shape.

        Raises:
            MeasureError: If an operation changes the shape.
        """
        values = [x]
        for vertex, operation in enumerate(self.vertices, start=1):
            value = operation(self._sum(values, vertex))
            if value.shape[1:] != x.shape[1:]:
                raise MeasureError(
                    f"operation {self.names[vertex]!r} must keep the shape "
                    f"{list(x.shape[1:])} of what it is given, it returned "
                    f"{list(value.shape[1:])}"
                )
            values.append(value)
        return self._sum(values, len(values))

    def _sum(self, values: list[Tensor], vertex: int) -> Tensor:
        return reduce(torch.add, [values[source] for source in self.sources[vertex]])


def _operation(name: str, operations: Mapping[str, Operation], channels: int) -> nn.Module:
    if name not in operations:
        raise MeasureError(f"operation {name!r} is not one of {listed(operations)}")
    with user_call(f"operation {name!r} of {channels} channels", MeasureError):
        made = operations[name](channels)
    if not isinstance(made, nn.Module):
        raise MeasureError(
            f"operation {name!r} of {channels} channels must make a torch.nn.Module, got "
            f"{quoted(made)}"
        )
    return made


class Frozen(nn.Module):
    """A module that is not trained, such as a pretrained stem.

    Its weights get no gradients, and it stays in evaluation mode, so that its running statistics
    stay as they are.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> Frozen:
        """Stay in evaluation mode."""
        super().train(False)
        self.training = mode
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Return the output of the module."""
        output: Tensor = self.module(x)
        return output
