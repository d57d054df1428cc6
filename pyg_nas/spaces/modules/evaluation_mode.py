"""Modules in evaluation mode, without memory, and as they were before a pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map


@contextmanager
def evaluation(module: nn.Module) -> Iterator[None]:
    """Put all submodules into evaluation mode, and restore their attributes afterwards.

    A module may keep results of a pass, which are fake.
    """
    modes = [(part, part.training) for part in module.modules()]
    attributes = [
        (vars(part), {name: _copied(value) for name, value in vars(part).items()})
        for part in unscripted(module)
    ]
    evaluate(module)
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training
        for now, before in attributes:
            now.clear()
            now.update({name: value for name, (value, _) in before.items()})
            for value, content in before.values():
                if isinstance(content, dict):
                    value.clear()
                    value.update(content)
                elif content is not None:
                    value[:] = content


def unscripted(module: nn.Module) -> Iterator[nn.Module]:
    """Yield a module and those inside it, except those of TorchScript, which take no hooks."""
    return (one for one in module.modules() if not isinstance(one, torch.jit.ScriptModule))


def evaluate(module: nn.Module) -> None:
    """Put a module into evaluation mode; one of ``torch.export`` has only that of its export."""
    try:
        module.eval()
    except NotImplementedError:  # by such a module inside, before its neighbours
        for part in module.children():
            evaluate(part)


def replace_meta_attributes(module: nn.Module, replace: Callable[[Tensor], Tensor]) -> None:
    """Replace tensors on the ``meta`` device that are neither parameters nor buffers.

    A module that is built there has its plain attributes there too, alone or in lists and
    dictionaries.
    """

    def found(value: Any) -> bool:
        is_tensor = isinstance(value, Tensor) and not isinstance(value, nn.Parameter)
        return is_tensor and bool(value.is_meta)

    for part in unscripted(module):
        for name, value in list(vars(part).items()):
            is_plain = name != "_buffers" and isinstance(value, (Tensor, list, tuple, dict))
            if is_plain and any(map(found, tree_leaves(value))):
                vars(part)[name] = tree_map(lambda x: replace(x) if found(x) else x, value)


def copy_attributes(module: nn.Module) -> None:
    """Replace tensors that are plain attributes by copies, which a pass may change in place."""
    copies: dict[int, Tensor] = {}
    for part in unscripted(module):
        for name, value in list(vars(part).items()):
            if type(value) is Tensor and not value.is_meta:
                vars(part)[name] = copies.setdefault(id(value), value.detach().clone())


def _copied(value: Any) -> tuple[Any, Any]:
    """Return a value and its content, if that may change."""
    return value, copy(value) if type(value) in (dict, list) else None
