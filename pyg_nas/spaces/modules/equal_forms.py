"""One form for calls of other functions, or with other arguments, that compute the same.

Arguments have the names of :mod:`pyg_nas.spaces.modules.functions`. Those that are tensors are
texts, which are empty for the results of other operations.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

Arguments = dict[str, Any]
Shape = Sequence[int]
Form = tuple[str, Arguments]

_POWERS = {"square": 2, "sqrt": 0.5, "rsqrt": -0.5, "reciprocal": -1}
# These have their dimensions in any order, and all if none is given.
_REDUCTIONS = (
    "mean sum std var max min logsumexp norm sumsquare all any nansum nanmean stdmean varmean "
    "countnonzero"
)
_OVER_DIMENSIONS = frozenset(_REDUCTIONS.split())
_SELECTIONS = frozenset({"index", "getitem", "select", "slice", "narrow", "indexselect", "gather"})
_PADDED = frozenset({"conv", "convtranspose", "maxpool", "avgpool", "lppool", "unfold"})
_PADS = frozenset({"pad", "constantpadnd", "reflectionpad", "replicationpad"})
_NORMALISATIONS = frozenset({"batchnorm", "layernorm", "groupnorm", "instancenorm"})
_CLAMP_DEFAULTS = {"relu6": (0, 6), "hardtanh": (-1, 1)}
_INTERPOLATION = {"bilinear": "linear", "trilinear": "linear", "bicubic": "cubic"}
_PADDING = {"reflection": "reflect", "replication": "edge", "replicate": "edge", "circular": "wrap"}
_NO_RULE = ("half_pixel", "pytorch_half_pixel", "asymmetric floor")
# Calls whose arguments another function has in another order.
_BACKWARDS = ((1, "other"), (0, "input"))
_REORDERED: Mapping[str, tuple[str, tuple[tuple[int, str], ...]]] = {
    "rsub": ("sub", _BACKWARDS),
    "__rsub__": ("sub", _BACKWARDS),
    "__rpow__": ("pow", _BACKWARDS),
    "__rdiv__": ("div", _BACKWARDS),
    "__rtruediv__": ("div", _BACKWARDS),
    "__rfloordiv__": ("floor_divide", _BACKWARDS),
    "__rmatmul__": ("matmul", _BACKWARDS),
    "__rmod__": ("remainder", _BACKWARDS),
    "masked_fill": ("where", ((1, "mask"), (2, "value"), (0, "input"))),
    "masked_fill_": ("where", ((1, "mask"), (2, "value"), (0, "input"))),
}


def reordered(
    name: str, positional: Sequence[Any], named: Arguments
) -> tuple[str, Sequence[Any], Arguments] | None:
    """Return the equal call of another function, whose arguments have another order.

    Returns:
        Name, positional and named arguments; None if there is none.
    """
    function, order = _REORDERED.get(name, ("", ()))
    rest, listed = dict(named), []
    for position, key in order:
        if position >= len(positional) and key not in rest:
            return None
        listed.append(positional[position] if position < len(positional) else rest.pop(key))
    return (function, [*listed, *positional[len(order) :]], rest) if order else None


def in_one_form(
    name: str, function: str, arguments: Arguments, shape: Shape, result: Shape
) -> Form:
    """Return a function and arguments that stand for all that compute the same.

    Args:
        name: Of the function as PyTorch or ONNX write it.
        function: Its name by which functions are compared.
        arguments: By name.
        shape: Of the first input.
        result: Shape of the first result.
    """
    if function in _POWERS:
        return "pow", {**arguments, "other": _POWERS[function]}
    if function == "exp2":
        return "pow", {"input": 2, "other": arguments.get("input")}
    if name == "addmm" and arguments.get("mat1") == arguments.get("mat2") == "":
        return name, arguments  # of two results, in another order than those of a linear layer
    if function == "div" and arguments.get("input") == 1 and "rounding_mode" not in arguments:
        return "pow", {"input": arguments.get("other"), "other": -1}
    if function == "add" and "alpha" in arguments:
        return "scaledadd", arguments  # its second operand is, so their order matters
    if function == "div" and arguments.get("rounding_mode") == "floor":
        return "floordiv", _without(arguments, "rounding_mode")
    if function == "repeat" and "dim" in arguments:  # as tile calls them
        return function, {**_input(arguments), "repeats": arguments["dim"]}
    if function in ("max", "min") and "other" in arguments:
        function = f"{function}imum"
    if function in ("maximum", "minimum"):
        return _largest(function, arguments)
    if function == "l1":
        function, arguments = "norm", {**arguments, "p": 1}
    if function in ("std", "var") and "unbiased" in arguments:
        arguments = {**arguments, "correction": int(arguments["unbiased"])}
        del arguments["unbiased"]
    if function == "flip":
        return function, {**arguments, "dim": _ascending(arguments["dim"], len(shape))}
    if function in _OVER_DIMENSIONS:
        return function, {**arguments, "dim": _any_order(arguments.get("dim"), len(shape))}
    if function in ("adaptiveavgpool", "adaptivemaxpool"):
        return _of_whole_images(name, function, arguments, result)
    if function in _SELECTIONS:
        return _selection(function, arguments, shape)
    if function == "setitem":
        listed = _of_each_dimension(arguments["index"], len(shape))
        return function, {**arguments, "index": _steps(listed, shape) or listed}
    if function in _PADDED:
        return function, _with_sides(arguments)
    if function in _PADS:
        return "pad", _pad(function, arguments, len(shape))
    if function.startswith("upsample") or function in ("resize", "interpolate"):
        return "resize", _resize(name.strip("_"), arguments, shape, result)
    if function == "transpose":
        order = permutation(name.rstrip("_"), arguments, len(shape))
        return function, arguments if order is None else {**_input(arguments), "order": order}
    if function == "clamp":
        bounds = zip(("min", "max"), _CLAMP_DEFAULTS.get(name.rstrip("_"), ()), strict=False)
        return function, {**dict(bounds), **arguments}
    if function in _NORMALISATIONS and "bias" in arguments and "scale" not in arguments:
        arguments = {"weight": "none", **arguments}
    if function in ("layernorm", "rmsnorm") and "normalized_shape" in arguments:
        normalised = arguments["normalized_shape"]
        dimensions = len(normalised) if isinstance(normalised, Sequence) else 1
        return function, {**_without(arguments, "normalized_shape"), "dim": -dimensions}
    if function == "embedding":
        chosen = arguments.get("indices", arguments.get("input"))
        return function, {**_without(arguments, "indices", "dim"), "input": chosen}
    if function == "hardsigmoid":
        return function, {"alpha": 0.2 if name == "HardSigmoid" else 1 / 6, **arguments}
    if function == "depthtospace" and arguments.get("mode") in ("CRD", b"CRD"):
        return "pixelshuffle", {**_input(arguments), "upscale_factor": arguments["blocksize"]}
    return function, arguments


def permutation(name: str, arguments: Arguments, dimensions: int) -> list[int] | None:
    """Return the order of dimensions after a transposition, None if it is not known.

    Args:
        name: Of the function as PyTorch or ONNX write it.
        arguments: By name.
        dimensions: Of the input.
    """
    order = list(range(dimensions))
    listed = arguments.get("dim", arguments.get("perm"))
    if not dimensions:
        return None
    if "source" in arguments:
        moved, places = (
            [i % dimensions for i in (value if isinstance(value, Sequence) else [value])]
            for value in (arguments["source"], arguments["destination"])
        )
        order = [i for i in order if i not in moved]
        for place, i in sorted(zip(places, moved, strict=True)):
            order.insert(place, i)
    elif "dim0" in arguments or "axis0" in arguments:
        key = "dim" if "dim0" in arguments else "axis"
        first, second = (arguments[f"{key}{i}"] % dimensions for i in (0, 1))
        order[first], order[second] = order[second], order[first]
    elif isinstance(listed, Sequence):
        order = [i % dimensions for i in listed]
    elif name == "mT" and dimensions > 1:
        order[-2:] = order[:-3:-1]
    elif name in ("T", "t", "Transpose"):
        order.reverse()
    else:
        return None
    return order


def _input(arguments: Arguments) -> Arguments:
    return {key: value for key, value in arguments.items() if key == "input"}


def _without(arguments: Arguments, *names: str) -> Arguments:
    return {key: value for key, value in arguments.items() if key not in names}


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


def _only(value: Any) -> Any:
    """Return the only item of a list, anything else as it is."""
    return value[0] if isinstance(value, (list, tuple)) and len(value) == 1 else value


def _largest(function: str, arguments: Arguments) -> Form:
    """Return the larger or smaller one of tensors; that of a tensor and a number is a clamp."""
    operands = [arguments[key] for key in ("input", "other") if key in arguments]
    operands += arguments.get("inputs", ())
    numbers = [item for item in operands if isinstance(item, (int, float))]
    marks = [item for item in operands if not isinstance(item, (int, float))]
    if len(numbers) == len(marks) == 1:
        return "clamp", {"input": marks[0], "min" if function == "maximum" else "max": numbers[0]}
    return function, {"inputs": operands}


def _ascending(dim: Any, dimensions: int) -> Any:
    """Return dimensions in ascending order, anything else as it is."""
    listed = [dim] if isinstance(dim, int) else dim
    if not isinstance(listed, (list, tuple)) or not dimensions:
        return dim
    return sorted(i % dimensions for i in listed)


def _any_order(dim: Any, dimensions: int) -> Any:
    """Return dimensions of a reduction in ascending order; None if they are all."""
    ascending = _ascending(dim, dimensions)
    return None if ascending in ([], list(range(dimensions))) else ascending


def _of_whole_images(name: str, function: str, arguments: Arguments, result: Shape) -> Form:
    """A pooling of each image to one number is a mean or maximum over the last dimensions."""
    found = re.search("([123])d", name)
    last = int(found[1]) if found else len(result) - 2
    if last < 1 or math.prod(result[-last:]) != 1:
        return function, arguments
    reduction = "mean" if function == "adaptiveavgpool" else "max"
    dim = _any_order(range(len(result))[-last:], len(result))
    return reduction, {**_input(arguments), "dim": dim}


def _selection(function: str, arguments: Arguments, shape: Shape) -> Form:
    """A selection in one dimension has this dimension, and an index, a range or a list."""
    dim: Any = _only(arguments.get("dim", 0))
    index = arguments.get("index")
    if function == "narrow" and isinstance(arguments.get("start"), int):
        start, stop = arguments["start"], arguments["start"] + arguments["length"]
        index = slice(start, None if start < 0 <= stop else stop)
    elif function == "slice":
        index = _range(arguments)
    elif function == "gather":
        index = arguments.get("indices")
    elif function in ("index", "getitem"):
        nothing = None if function == "index" else slice(None)
        listed = _of_each_dimension(arguments.get("indices", index), len(shape))
        chosen = [i for i, item in enumerate(listed) if item != nothing]
        if all(listed[i] is None for i in chosen):
            return "reshape", _input(arguments)  # with new dimensions at most
        if len(chosen) != 1:
            steps = _steps(listed, shape)
            if steps:
                return "slice", {**_input(arguments), "steps": "; ".join(steps)}
            return function, {**_without(arguments, "indices"), "index": listed}
        dim, index = chosen[0], listed[chosen[0]]
    if index is None or not isinstance(dim, int) or not -len(shape) <= dim < len(shape):
        return function, arguments
    size = shape[dim]
    kept = {**_input(arguments), "value": arguments.get("value"), "dim": dim}
    if isinstance(index, slice) and _is_known(index) and range(size)[index] == range(size):
        return "reshape", _input(arguments)
    if isinstance(index, slice) and not _is_known(index):
        return function, arguments
    if _is_known(index):
        name = "slice" if isinstance(index, slice) else "select"
        return name, {**kept, "index": _counted(index, size)}
    if isinstance(index, (list, tuple)) and all(type(i) is int for i in index):
        index = f"list {[i % max(size, 1) for i in index]}"
    return "indexselect", {**kept, "index": index}


def _is_known(index: Any) -> bool:
    """Return whether an index is a whole number, or a range whose ends are."""
    if isinstance(index, slice):
        return all(isinstance(end, (int, type(None))) for end in (index.start, index.stop))
    return type(index) is int


def _counted(index: int | slice, size: int) -> int | str:
    """Return an index or range counted from the first item."""
    if isinstance(index, slice):
        return str(range(*index.indices(size)))
    return index % max(size, 1)


def _steps(listed: Sequence[Any], shape: Shape) -> list[str]:
    """Return the selections in one dimension after the other that an index is, none if unknown."""
    if not all(map(_is_known, listed)) or len(listed) > len(shape):
        return []
    steps, dim = [], 0
    for index, size in zip(listed, shape, strict=False):
        if not isinstance(index, slice):
            steps.append(f"select dim={dim} index={_counted(index, size)}")
            continue
        if _counted(index, size) != str(range(size)):
            steps.append(f"slice dim={dim} index={_counted(index, size)}")
        dim += 1
    return steps


def _of_each_dimension(index: Any, dimensions: int) -> list[Any]:
    """Return an index without ``...`` and without dimensions at its end that are whole."""
    listed = list(index) if isinstance(index, (list, tuple)) else [index]
    for place, item in enumerate(listed):
        if item is Ellipsis:
            given = sum(other is not None for other in listed) - 1
            listed[place : place + 1] = [slice(None)] * (dimensions - given)
    while listed and listed[-1] == slice(None):
        listed.pop()
    return listed


def _range(arguments: Arguments) -> slice | None:
    """Return the range of PyTorch's ``slice`` or ONNX's ``Slice`` in one dimension, if known."""
    start, stop, step = (
        _only(arguments.get(name, arguments.get(f"{name}s"))) for name in ("start", "end", "step")
    )
    known = all(isinstance(end, (int, type(None))) for end in (start, stop, step))
    return slice(start, stop, step) if known and step != 0 else None


def _with_sides(arguments: Arguments) -> Arguments:
    """Return the padding before each dimension and then that after each, none if there is none."""
    padding = _text(arguments.get("pads", arguments.get("padding")))
    automatic = _text(arguments.get("auto_pad", "NOTSET"))
    if isinstance(padding, (list, tuple)) and "pads" not in arguments:
        padding = [*padding, *padding]
    if isinstance(padding, (list, tuple)) and len(set(padding)) == 1:
        (padding,) = set(padding)
    if padding == "valid":
        padding = None
    if automatic.startswith("SAME"):
        padding = automatic
    changed = _without(arguments, "padding", "pads", "auto_pad")
    # Whether padding counts in a mean does not matter without any.
    return {**changed, "padding": padding} if padding else _without(changed, "count_include_pad")


def _scale(arguments: Arguments, shape: Shape, result: Shape) -> Any:
    """Return the factors of a resize if they do not follow from the sizes before and after."""
    scale = arguments.get("scales", arguments.get("scale_factors", arguments.get("scale_factor")))
    if scale is None:  # of the dispatcher, where those that do not matter are None
        by_name = (arguments.get(f"scales_{side}") for side in "dhw")
        scale = [factor for factor in by_name if factor is not None] or None
    images = len(shape) - 2
    if scale is None or arguments.get("recompute_scale_factor") or images < 1:
        return None
    factors = list(scale)[-images:] if isinstance(scale, (list, tuple)) else [scale] * images
    if not all(isinstance(factor, (int, float)) for factor in factors):
        return scale
    sizes = zip(shape[-images:], factors, result[-images:], strict=False)
    exact = all(math.isclose(before * factor, after) for before, factor, after in sizes)
    return None if exact else factors


def _resize(name: str, arguments: Arguments, shape: Shape, result: Shape) -> Arguments:
    """Return the mode of a resize as ``nearest``, ``linear`` or ``cubic``, and other rules."""
    mode = _text(arguments.get("mode"))
    rest = _without(arguments, "mode", "coordinate_transformation_mode", "nearest_mode", "roi")
    rest = _without(rest, "scales", "scale_factors", "scale_factor", "recompute_scale_factor")
    rest["scale"] = _scale(arguments, shape, result)
    if name != "Resize":
        mode = mode or name.lower().removeprefix("upsample_")
        mode = re.sub("[123]d$", "", mode)
        mode = "nearest" if mode in ("interpolate", "upsample") else mode
        return {**rest, "mode": _INTERPOLATION.get(mode, mode)}
    mode = mode or "nearest"
    rule = _text(arguments.get("coordinate_transformation_mode", "half_pixel"))
    if mode == "nearest":
        rule += f" {_text(arguments.get('nearest_mode', 'round_prefer_floor'))}"
    aligned = rule == "align_corners"
    return {
        **rest,
        "mode": mode,
        "align_corners": aligned,
        "rule": "" if aligned or rule in _NO_RULE else rule,
    }


def _pad(function: str, arguments: Arguments, dimensions: int) -> Arguments:
    """Return the padding before each dimension, then that after each."""
    mode = _text(arguments.get("mode")) or function.removesuffix("nd").removesuffix("pad")
    rest = _without(arguments, "mode", "pads", "pad", "padding", "constant_value", "dim")
    pads = arguments.get("pads")
    pad = arguments.get("pad", arguments.get("padding"))
    if isinstance(pad, (list, tuple)):  # the last dimension comes first
        others = [0] * (dimensions - len(pad) // 2)
        pads = [*others, *reversed(pad[0::2]), *others, *reversed(pad[1::2])]
    elif isinstance(pads, (list, tuple)) and isinstance(arguments.get("dim"), (list, tuple)):
        chosen = [i % dimensions for i in arguments["dim"]]
        before = dict(zip(chosen, pads, strict=False))
        after = dict(zip(chosen, pads[len(chosen) :], strict=False))
        pads = [side.get(i, 0) for side in (before, after) for i in range(dimensions)]
    value = arguments.get("value", arguments.get("constant_value"))
    return {**rest, "pad": pads or pad, "mode": _PADDING.get(mode, mode or None), "value": value}
