"""What distinguishes functions of one operation, such as ``sub`` and ``add``, both ``add``.

The function and its arguments are written in one way, whether a module, PyTorch's dispatcher or an
ONNX file calls it. Where this fails, one network has two hashes. Two networks have one hash if they
differ only in arguments that :data:`_UNIMPORTANT` lists, or in numbers that are weights
(:mod:`pyg_nas.spaces.modules.known_numbers`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from pyg_nas.spaces.modules.equal_forms import in_one_form

# Names of one function in lower case, without underscores; the first is used. Functions of logical
# values and of bits have one name: the types of their inputs and results distinguish them.
_SYNONYMS = {
    name: names.split()[0]
    for names in (
        "conv convolution",
        "linear addmm gemm fusedgemm",
        "matmul mm bmm mv dot",
        "attention scaleddotproductattention",
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
        "clamp clip clampmin clampmax relu6 hardtanh",
        "add radd iadd",
        "mul multiply rmul imul",
        "sub subtract isub",
        "div divide truedivide truediv itruediv",
        "floordiv floordivide",
        "remainder mod",
        "neg negative",
        "abs absolute",
        "eq equal",
        "ne notequal",
        "lt less",
        "le lessorequal lessequal",
        "gt greater",
        "ge greaterorequal greaterequal",
        "and bitwiseand logicaland",
        "or bitwiseor logicalor",
        "xor bitwisexor logicalxor",
        "not bitwisenot logicalnot invert",
        "max amax",
        "min amin",
        "norm linalgvectornorm l2",
        "repeat tile",
        "unfold im2col",
        "fold col2im",
    )
    for name in names.split()
}
# Shape and type of the results say what these do.
_KNOWN_BY_RESULT = frozenset({"reshape", "cast"})
_ROUNDING = frozenset({"quantizelinear", "dequantizelinear"})
_ALL_NAMES_MEAN_ONE = _KNOWN_BY_RESULT | {"split"}
# Functions of the operation ``transpose`` that do not only exchange dimensions.
_NO_TRANSPOSITION = frozenset({"flip", "rot90", "adjoint", "mh", "h"})
_COMMUTATIVE = frozenset({"add", "mul", "output", "maximum", "minimum", "eq", "ne"}) | {
    *("and", "or", "xor")
}
_OPERANDS = ("input", "other", "inputs")
# Operators of ONNX, which reduce a tensor in PyTorch.
_OF_SEVERAL_TENSORS = {"Max": "maximum", "Min": "minimum", "Sum": "add", "Mean": "meanoftensors"}
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
# Arguments on which only training or memory depends, or that follow from shapes.
_UNIMPORTANT = (
    "output_padding output_shape ceil_mode storage_order return_indices N C HxW inplace out device "
    "dtype layout memory_format non_blocking copy requires_grad pin_memory generator momentum "
    "cudnn_enable cudnn_enabled transposed benchmark deterministic allow_tf32 dropout dropout_p "
    "dropout_prob p_dropout train need_weights embed_dim_to_check scale_grad_by_freq sparse "
    "keepdim keepdims output_size hidden_size training_mode stash_type noop_with_empty_axes "
    "saturate input_mean input_var mean var"
)
_LEFT_OUT = frozenset(_UNIMPORTANT.split())
# The same of one function.
_UNIMPORTANT_OF = {
    "embedding": "padding_idx",
    "resize": "size sizes scales_h scales_w scales_d",
    "split": "chunks split split_size split_sizes split_size_or_sections sections indices "
    "indices_or_sections tensor_indices_or_sections num_outputs",
}
# Two tensors of which either may be left out: edges do not show which one is there.
_OPTIONAL_TENSORS = {
    "clamp": "min max",
    "multiheadattentionforward": "key_padding_mask attn_mask",
}
_EACH_DIMENSION = frozenset({"dilation", "kernel_size", "stride"})  # or one number for all
_RENAMED = {
    "0": "input",  # of a function whose arguments have no names
    "self": "input",
    "data": "input",
    "data_0": "inputs",
    "Inputs": "inputs",
    "tensors": "inputs",
    "X": "input",
    "A": "input",
    "B": "other",
    "Y": "other",
    "exponent": "other",
    "K": "k",
    "axis": "dim",
    "axes": "dim",
    "dims": "dim",
    "dilations": "dilation",
    "epsilon": "eps",
    "min_val": "min",
    "max_val": "max",
    "is_training": "training",
    "negative_slope": "alpha",
    "ord": "p",
}
# Defaults of every function that has such an argument, and those of one function.
_COMMON_DEFAULTS: Mapping[str, Any] = {
    "align_corners": False,
    "dilation": 1,
    "padding": 0,
    "training": False,
    "use_input_stats": True,
}
_DEFAULTS: Mapping[tuple[str, str], Any] = {
    ("avgpool", "count_include_pad"): True,
    ("batchnorm", "eps"): 1e-5,
    ("layernorm", "eps"): 1e-5,
    ("groupnorm", "eps"): 1e-5,
    ("instancenorm", "eps"): 1e-5,
    ("leakyrelu", "alpha"): 0.01,
    ("norm", "p"): 2,
    ("pad", "mode"): "constant",
    ("pad", "value"): 0,
}


def function_of(name: str, operation: str) -> str:
    """Return the name of a function by which two are compared.

    Args:
        name: As PyTorch or ONNX write it.
        operation: The normalised one.
    """
    if name == "gather":  # Gather of ONNX is another function
        return "gatherelements"
    plain = name.removesuffix("_with_indices").removesuffix("_legit_no_training")
    plain = re.sub("[123]d$", "", plain).strip("_").removeprefix("native_").removeprefix("Reduce")
    plain = plain.replace("_", "").lower()
    if plain not in _ROUNDING and (
        operation in _ALL_NAMES_MEAN_ONE
        or (operation == "transpose" and plain not in _NO_TRANSPOSITION)
    ):
        return operation
    if name in _OF_SEVERAL_TENSORS:
        return _OF_SEVERAL_TENSORS[name]
    return _SYNONYMS.get(plain, plain)


def is_commutative(function: str) -> bool:
    """Return whether the order of the inputs does not matter."""
    return function in _COMMUTATIVE


def described(
    name: str,
    operation: str,
    arguments: Mapping[str, Any],
    shapes: tuple[Sequence[int], Sequence[int]],
    attributes: Collection[str],
) -> tuple[str, str]:
    """Return a function and those of its arguments that distinguish it, as ``alpha=0.5``.

    Args:
        name: As PyTorch or ONNX write it.
        operation: The normalised one.
        arguments: By name, without those that have their defaults.
        shapes: Of the first input and the first result.
        attributes: Of the vertex, which have some of the arguments.
    """
    function = function_of(name, operation)
    renamed = {
        _RENAMED.get(key, key): value
        for key, value in arguments.items()
        if key not in _LEFT_OUT and not key.startswith("_")
    }
    function, important = in_one_form(name, function, renamed, *shapes)
    unimportant = _UNIMPORTANT_OF.get(function, "").split()
    optional = _OPTIONAL_TENSORS.get(function, "").split()
    found: dict[str, str] = {}
    for key, value in important.items():
        if value is None or key in unimportant or _IN_ATTRIBUTE.get(key) in attributes:
            continue
        text = _text(key, value, len(shapes[0])) or ("given" if key in optional else "")
        default = _DEFAULTS.get((function, key), _COMMON_DEFAULTS.get(key, ""))
        if text and text != _text(key, default, 0):
            found[key] = text
    if function in _KNOWN_BY_RESULT:  # which one of several results, or which constant
        found = {"input": found["input"]} if "input" in found else {}
    if is_commutative(function):
        marks = [important.get("input"), important.get("other"), *important.get("inputs", ())]
        found = {key: text for key, text in found.items() if key not in _OPERANDS}
        operands = operand_settings([_text("", mark, 0) for mark in marks if mark is not None])
        return function, " ".join(sorted([*operands, *_written(found)]))
    return function, " ".join(_written(found))


def operand_settings(marks: Sequence[str]) -> list[str]:
    """Return what distinguishes operands whose order does not matter.

    Args:
        marks: Text of each operand. For the result of an operation, which an edge shows, it is
            empty, or ``#1`` if that is not the first result.

    Returns:
        ``operands=`` with the texts in ascending order. Of several results, which are not all first
        ones, ``results=`` has the numbers in the order of their edges.
    """
    results = [mark for mark in marks if not mark or mark.startswith("#")]
    others = sorted(filter(None, marks))
    numbers = []
    if len(results) > 1 and any(results):
        others = [mark for mark in others if mark not in results]
        numbers = ["results=" + ",".join(mark.removeprefix("#") or "0" for mark in results)]
    return [*(["operands=" + " ".join(others)] if others else []), *numbers]


def without_results(settings: str) -> tuple[str, list[str]]:
    """Return settings without the numbers of results of :func:`operand_settings`, and these."""
    found = re.search(r" ?\bresults=([\d,]+)", settings)
    if found is None:
        return settings, []
    return settings.replace(found[0], ""), found[1].split(",")


def _written(arguments: Mapping[str, str]) -> list[str]:
    return [f"{key}={arguments[key]}" for key in sorted(arguments)]


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
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, (str, int, complex, type(None), type(Ellipsis))):
        return str(value)
    # An object of the user, whose text may be another one in each process.
    return str(getattr(value, "__qualname__", type(value).__qualname__))
