"""Interception of the functions that a module calls during a pass.

Functions of ``torch`` and methods of tensors become vertices at the level at which the module calls
them (a linear layer is one vertex, not a transposition and a product). Operations that are called
in another way, such as by TorchScript, are recorded at PyTorch's dispatcher.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch._ops import HigherOrderOperator
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from pyg_nas.errors import NetworkError
from pyg_nas.spaces.modules.call_recorder import CallRecorder
from pyg_nas.spaces.modules.evaluation_mode import unscripted
from pyg_nas.spaces.modules.nested_tensors import tensors_in

# Products that torch's counter leaves out: position of the matrix, or of one of two vectors.
_VECTOR_PRODUCTS = {
    torch.ops.aten.mv: 0,
    torch.ops.aten.addmv: 1,
    torch.ops.aten.dot: 0,
    torch.ops.aten.vdot: 0,
}


@contextmanager
def intercepted(module: nn.Module, recorder: CallRecorder) -> Iterator[None]:
    """Record called functions and the submodules that call them."""
    names = {part: name for name, part in module.named_modules()}

    def enter(part: nn.Module, _: Any) -> None:
        recorder.path.append(names.get(part, type(part).__name__))

    def leave(*_: Any) -> None:
        recorder.path.pop()

    with ExitStack() as hooks:
        for part in unscripted(module):
            hooks.enter_context(part.register_forward_pre_hook(enter))
            hooks.enter_context(part.register_forward_hook(leave))
        with _Dispatched(recorder), _Called(recorder):
            yield


class _Called(TorchFunctionMode):
    """Intercepts functions of ``torch`` and methods of tensors that the module's code calls."""

    def __init__(self, recorder: CallRecorder) -> None:
        super().__init__()
        self.recorder = recorder

    def __torch_function__(
        self, function: Any, types: Any, arguments: Any = (), named: Any = None
    ) -> Any:
        named = named or {}
        if self.recorder.inside:  # calls by the recorder itself
            return function(*arguments, **named)
        packet = getattr(function, "_overloadpacket", function)  # of torch.ops: without the types
        name = getattr(packet, "__name__", str(function))
        if name == "__get__":  # an attribute: x.T, x.shape
            name = getattr(getattr(function, "__self__", None), "__name__", name)
        return self.recorder.record(
            function, name, (arguments, named), lambda: function(*arguments, **named)
        )


class _Dispatched(TorchDispatchMode):
    """Counts multiply-accumulates, notes changes in place, and intercepts calls that only the
    dispatcher receives."""

    supports_higher_order_operators = True

    def __init__(self, recorder: CallRecorder) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.recorder = recorder

    def __torch_dispatch__(
        self, function: Any, types: Any, arguments: Any = (), named: Any = None
    ) -> Any:
        named = named or {}
        if isinstance(function, HigherOrderOperator) and function not in flop_registry:
            raise NetworkError(
                f"operation {function.name()!r}: control flow of tensors has no graph"
            )
        packet = getattr(function, "_overloadpacket", function)
        packed = any(isinstance(argument, torch.ScriptObject) for argument in arguments)
        if packed and function.namespace == "quantized":
            raise NetworkError(
                f"operation {packet.__name__!r}: its weights are packed and cannot be counted; "
                f"give the module before it is quantised"
            )

        def call() -> Any:
            result = function(*arguments, **named)
            self.recorder.changed += _changed(function, arguments, named)
            if packet in flop_registry:
                self.recorder.macs += (
                    flop_registry[packet](*arguments, **named, out_val=result) // 2
                )
            elif packet in _VECTOR_PRODUCTS:
                self.recorder.macs += arguments[_VECTOR_PRODUCTS[packet]].numel()
            return result

        if self.recorder.inside:
            return call()
        return self.recorder.record(function, packet.__name__, (arguments, named), call)


def _changed(function: Any, arguments: Any, named: dict[str, Any]) -> list[Tensor]:
    """Return the arguments whose numbers an operation of the dispatcher changes."""
    schema = getattr(function, "_schema", None)
    # Those that change shape and strides alone, such as squeeze_, make views.
    if schema is None or not schema.is_mutable or torch.Tag.inplace_view in function.tags:
        return []
    positional = [*arguments, *[None] * (len(schema.arguments) - len(arguments))]
    given = zip(schema.arguments, positional, strict=True)
    return tensors_in([named.get(item.name, value) for item, value in given if item.is_write])
