"""What distinguishes functions of one operation, such as ``sub`` and ``add``, both ``add``.

The function and its arguments are written in one way, whether a module, PyTorch's dispatcher or an
ONNX file calls it. Where this fails, one network has two hashes. Two networks have one hash if they
differ only in arguments that :data:`_UNIMPORTANT` lists, such as the side of a padding, or in the
numbers of constant tensors.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

# Names of one meaning, without underscores; the first is used.
_SYNONYMS = {
    name: names.split()[0]
    for names in (
        "conv convolution",
        "linear addmm gemm",
        "matmul mm bmm mv dot",
        "attention scaleddotproductattention",
        "embedding gather",
        "batchnorm batchnormalization",
        "layernorm layernormalization",
        "groupnorm groupnormalization",
        "instancenorm instancenormalization",
        "rmsnorm rmsnormalization simplifiedlayernormalization",
        "concat cat concatenate",
        "silu swish",
        "avgpool averagepool",
        "adaptiveavgpool globalaveragepool",
        "adaptivemaxpool globalmaxpool",
        "clamp clip",
        "add radd iadd",
        "mul multiply rmul imul",
        "sub subtract isub",
        "div divide truedivide truediv itruediv",
        "eq equal",
        "lt less",
        "le lessorequal",
        "gt greater",
        "ge greaterorequal",
        "floordiv floordivide",
        "logicaland and",
        "logicalor or",
        "logicalnot not invert",
    )
    for name in names.split()
}
# Shape and type of the results say what these do.
_OF_SHAPE = frozenset({"reshape", "cast"})
_ONE_FUNCTION = _OF_SHAPE | {"split"}
_NO_TRANSPOSITION = frozenset({"flip", "rot90", "adjoint", "mh", "h", "movedim", "moveaxis"})
_COMMUTATIVE = frozenset(
    [("add", ""), ("mul", ""), ("concat", ""), ("output", "")]
    + [("compare", name) for name in ("eq", "ne", "logicaland", "logicalor")]
    + [("compare", name) for name in ("maximum", "minimum", "max", "min")]
)
# Arguments in an attribute of a vertex.
_IN_ATTRIBUTE = {
    name: attribute
    for attribute, names in {
        "kernel": "kernel_size kernel_shape",
        "stride": "stride strides",
        "groups": "groups group num_groups",
        "heads": "num_heads q_num_heads",
    }.items()
    for name in names.split()
}
# Arguments on which only training, memory or the position of a window depends, or that follow from
# shapes.
_UNIMPORTANT = (
    "padding pads output_padding auto_pad output_shape ceil_mode storage_order return_indices "
    "normalized_shape N C HxW inplace out device dtype layout memory_format non_blocking copy "
    "requires_grad pin_memory generator to momentum cudnn_enable cudnn_enabled transposed "
    "benchmark deterministic allow_tf32 use_input_stats dropout dropout_p dropout_prob p_dropout "
    "train need_weights embed_dim_to_check padding_idx max_norm scale_grad_by_freq sparse "
    "keepdim keepdims output_size output_sizes size sizes scales scale_factor scale_factors "
    "chunks split_size split_sizes split_size_or_sections sections indices indices_or_sections "
    "tensor_indices_or_sections num_outputs transB hidden_size training_mode stash_type "
    "noop_with_empty_axes saturate input_mean input_var mean var"
)
_LEFT_OUT = frozenset(_UNIMPORTANT.split())
_INDEXED = frozenset({"slice", "scatter"})  # their ``indices`` are no ends of parts
_EACH_DIMENSION = frozenset({"dilation", "kernel_size", "stride"})  # or one number for all
_RENAMED = {
    "self": "input",
    "data": "input",
    "X": "input",
    "A": "input",
    "B": "other",
    "axis": "dim",
    "axes": "dim",
    "dims": "dim",
    "dilations": "dilation",
    "epsilon": "eps",
    "min_val": "min",
    "max_val": "max",
    "is_training": "training",
}
# Defaults of every function that has such an argument, and those of one operation.
_COMMON_DEFAULTS: Mapping[str, Any] = {"align_corners": False, "dilation": 1, "training": False}
_DEFAULTS: Mapping[tuple[str, str], Any] = {
    ("batch_norm", "eps"): 1e-5,
    ("layer_norm", "eps"): 1e-5,
    ("group_norm", "eps"): 1e-5,
    ("instance_norm", "eps"): 1e-5,
    ("pad", "value"): 0,
}
_LIMITS = {"": (0, 6), "hardtanh": (-1, 1)}


def function_of(name: str, operation: str) -> str:
    """Return which function of an operation a name means; empty for the operation itself."""
    plain = name.removesuffix("_with_indices").removesuffix("_legit_no_training")
    plain = re.sub("[123]d$", "", plain).strip("_").removeprefix("native_").removeprefix("Reduce")
    plain = plain.replace("_", "").lower()
    plain = _SYNONYMS.get(plain, plain)
    if (
        operation in _ONE_FUNCTION
        or plain == operation.replace("_", "")
        or (operation == "transpose" and plain not in _NO_TRANSPOSITION)
    ):
        return ""
    return plain


def is_commutative(operation: str, function: str) -> bool:
    """Return whether the order of the inputs does not matter.

    Concatenated channels count as equal in any order.
    """
    return (operation, function) in _COMMUTATIVE


def settings_of(
    operation: str,
    function: str,
    arguments: Mapping[str, Any],
    dimensions: int,
    attributes: Collection[str],
) -> str:
    """Return a function and those of its arguments that distinguish it, as ``elu alpha=0.5``.

    Args:
        operation: The normalised operation.
        function: What :func:`function_of` returns.
        arguments: By name, without those that have their defaults.
        dimensions: Of the first input, by which negative ones are counted.
        attributes: Of the vertex, which have some of the arguments.
    """
    found: dict[str, str] = {}
    for name, value in ({} if operation in _OF_SHAPE else arguments).items():
        left_out = name in _LEFT_OUT and not (name == "indices" and operation in _INDEXED)
        if left_out or name.startswith("_") or _IN_ATTRIBUTE.get(name) in attributes:
            continue
        key = _RENAMED.get(name, name)
        text = _text(key, value, dimensions)
        default = _DEFAULTS.get((operation, key), _COMMON_DEFAULTS.get(key, ""))
        if value is not None and text and text != _text(key, default, 0):
            found[key] = text
    if operation == "relu6":
        found = dict(zip(("min", "max"), map(str, _LIMITS.get(function, ())), strict=False)) | found
        function = "clamp"
    if is_commutative(operation, function):
        operands = sorted(found.pop(key) for key in ("input", "other") if key in found)
        found |= {"operands": " ".join(operands)} if operands else {}
    return " ".join([function, *(f"{key}={found[key]}" for key in sorted(found))]).strip()


def permutation(name: str, arguments: Mapping[str, Any], dimensions: int) -> dict[str, Any] | None:
    """Return the order of dimensions after a transposition, by the names of its arguments."""
    order = list(range(dimensions))
    if not dimensions:
        return None
    if "dim0" in arguments or "axis0" in arguments:
        first, second = (
            arguments.get(f"dim{i}", arguments.get(f"axis{i}", 0)) % dimensions for i in (0, 1)
        )
        order[first], order[second] = order[second], order[first]
    elif "dims" in arguments or "perm" in arguments:
        order = [i % dimensions for i in arguments.get("dims", arguments.get("perm"))]
    elif name == "mT" and dimensions > 1:
        order[-2:] = order[:-3:-1]
    elif name in ("T", "t", "Transpose"):
        order.reverse()
    else:
        return None
    return {"dim": order}


def _text(key: str, value: Any, dimensions: int) -> str:
    """Return an argument as text; negative dimensions are counted from the last one."""
    if isinstance(value, (np.generic, np.ndarray)):
        value = value.tolist()
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, Sequence) and not isinstance(value, str):
        parts = [_text(key, item, dimensions) for item in value]
        if len(parts) == 1 or not any(parts) or (key in _EACH_DIMENSION and len(set(parts)) == 1):
            return parts[0] if parts else ""
        return f"({','.join(parts)})"
    if isinstance(value, slice):
        ends = (value.start, value.stop, value.step)
        return ":".join("" if end is None else _text("", end, 0) for end in ends)
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, int) and value < 0 and key.startswith("dim"):
        return str(value + dimensions)
    if isinstance(value, (str, int, complex, type(None), type(Ellipsis))):
        return str(value)
    # An object of the user, whose text may be another one in each process.
    return str(getattr(value, "__qualname__", type(value).__qualname__))
