"""Kernel, stride, groups and heads, from the arguments of a function of ``torch``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Any

from torch import Tensor


def window(name: str, arguments: Any, given: list[Tensor]) -> dict[str, Any]:
    """Return kernel, stride, groups and heads of a function, as far as it has them."""
    argument = partial(given_argument, arguments)

    def sizes(value: Any) -> tuple[int, ...]:
        """Return a size in each dimension, of which one number gives all."""
        listed = tuple(value) if isinstance(value, (tuple, list)) else (value,)
        every = listed * _dimensions(name, given) if len(listed) == 1 else listed
        return tuple(int(size) for size in every)

    if name.startswith("conv") and len(given) > 1:
        return {
            "kernel": tuple(given[1].shape[2:]),
            "stride": sizes(argument(3, "stride", 1)),
            # Of transposed ones too; the dispatcher's function has two arguments more.
            "groups": int(argument(8 if name == "convolution" else 6, "groups", 1)),
        }
    if name.startswith("fractional_max_pool"):
        return {"kernel": sizes(argument(1, "kernel_size", 1))}
    if "pool" in name and not name.startswith("adaptive"):
        after = 2 if name.startswith(("lp_", "max_unpool")) else 1  # a norm, or indices
        kernel = sizes(argument(after, "kernel_size", 1))
        stride = argument(after + 1, "stride", None)
        return {"kernel": kernel, "stride": sizes(stride) if stride else kernel}
    if name == "group_norm":
        return {"groups": int(argument(1, "num_groups", 1))}
    if name == "native_group_norm":
        return {"groups": int(argument(6, "group", 1))}
    if name in ("scaled_dot_product_attention", "flex_attention") and given[0].dim() > 3:
        return {"heads": int(given[0].shape[-3])}
    if name == "multi_head_attention_forward":
        return {"heads": int(argument(4, "num_heads", 1))}
    return {}


def same_padding(kernel: Sequence[int], dilation: int | Sequence[int]) -> list[int]:
    """Return the padding ``same`` before each dimension, then that after each."""
    steps = dilation if isinstance(dilation, Sequence) else [dilation] * len(kernel)
    totals = [step * (size - 1) for size, step in zip(kernel, steps, strict=True)]
    return [*(total // 2 for total in totals), *(total - total // 2 for total in totals)]


def given_argument(arguments: Any, position: int, key: str, default: Any) -> Any:
    """Return one of the ``arguments`` of a call, positional and named, by position or name."""
    positional, named = arguments
    if key in named:
        return named[key]
    return positional[position] if len(positional) > position else default


def _dimensions(name: str, given: list[Tensor]) -> int:
    """Return in how many dimensions the window of a convolution or pooling moves."""
    if name.startswith("conv"):
        return given[1].dim() - 2
    found = re.search("([123])d", name)
    return int(found[1]) if found else 1
