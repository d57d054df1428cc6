"""Tensors in the arguments and results of functions, and facts of one tensor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from copy import copy
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch._C._functorch import get_unwrapped, is_functorch_wrapped_tensor
from torch.utils._python_dispatch import _disable_current_modes
from torch.utils._pytree import tree_flatten, tree_map

from pyg_nas.spaces.modules.known_numbers import are_weights


def mapped(change: Callable[[Any], Any], value: Any) -> Any:
    """Return a copy of an object with changed tensors, or the value if it has none."""
    found: Any = copy(value) if isinstance(value, MutableMapping) or _is_record(value) else None
    if _is_record(value):
        for item in fields(value):
            object.__setattr__(found, item.name, tree_map(change, getattr(value, item.name)))
        return found
    if isinstance(value, MutableMapping):
        for key, item in value.items():
            found[key] = tree_map(change, item)
        return found
    if callable(getattr(value, "apply", None)):
        from torch_geometric.data import Data

        return copy(value).apply(change) if isinstance(value, Data) else value
    return value


def _is_record(value: Any) -> bool:
    return is_dataclass(value) and not isinstance(value, type)


def tensors_in(value: Any) -> list[Tensor]:
    """Return the tensors in a nested value, as they are outside of transformations."""
    found = []
    for leaf in tree_flatten(value)[0]:
        if isinstance(leaf, Tensor):
            while is_functorch_wrapped_tensor(leaf):
                leaf = get_unwrapped(leaf)
            found.append(leaf)
        elif isinstance(leaf, Mapping):
            found += tensors_in(list(leaf.values()))
        elif isinstance(leaf, (set, frozenset)):
            found += tensors_in(list(leaf))
        elif _is_record(leaf):
            found += tensors_in([getattr(leaf, item.name) for item in fields(leaf)])
    return found


def shape_and_dtype(tensor: Tensor) -> tuple[tuple[int, ...], str]:
    """Return the shape of a tensor and the name of its type, such as ``float32``."""
    return tuple(int(size) for size in tensor.shape), str(tensor.dtype).removeprefix("torch.")


def distinct(tensors: list[Tensor]) -> list[Tensor]:
    """Return each tensor once, in the same order."""
    return list({id(tensor): tensor for tensor in tensors}.values())


def bytes_in(tensor: Tensor) -> int:
    """Return the bytes of the numbers of a tensor."""
    return tensor.numel() * tensor.element_size()


def known_array(tensor: Tensor, *, whole: bool) -> NDArray[Any] | None:
    """Return the numbers of a tensor, None if they count as weights or are not in memory.

    Args:
        whole: Whether floating-point numbers count as whole ones if they are.
    """
    if tensor.is_meta or tensor.is_quantized or tensor.is_complex():
        return None
    if tensor.layout != torch.strided:
        return None
    with _disable_current_modes():
        numbers = tensor.detach().cpu()
        if not tensor.is_floating_point():
            array = np.asarray(numbers.numpy())
        elif tensor.numel() == 1:
            return np.asarray(numbers.double().numpy())
        elif whole and bool((numbers == numbers.long()).all()):
            array = np.asarray(numbers.long().numpy())
        else:
            return None
    return None if are_weights(array.dtype.kind, array.dtype.itemsize, array.size) else array


def storage_of(tensor: Tensor) -> int:
    """Return the id of the memory of a tensor, which its views share."""
    if tensor.layout != torch.strided:  # has no storage
        return id(tensor)
    return int(tensor.untyped_storage()._cdata)
