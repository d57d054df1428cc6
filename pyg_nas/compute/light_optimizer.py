"""Optimizers that do not import torch's compiler, which needs 70 MB and 2 s."""

from __future__ import annotations

from inspect import unwrap
from typing import Any, TypeVar

import torch

_METHODS = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")

T = TypeVar("T", bound=torch.optim.Optimizer)


def light_optimizer(kind: type[T]) -> type[T]:
    """Return a class of torch's optimizers without the decorators that import the compiler.

    Its steps are equal. It has no ``differentiable=True``.
    """
    methods: dict[str, Any] = {
        name: unwrap(getattr(torch.optim.Optimizer, name)) for name in _METHODS
    }
    methods["step"] = torch.no_grad()(unwrap(kind.step))
    return type(f"Light{kind.__name__}", (kind,), methods)
