"""The graph of a PyTorch module, recorded from one pass of fake tensors.

Fake tensors have shapes and types but no values, so that neither weights nor activations need
memory and a pass takes milliseconds. The module's own Python code runs: loops, conditions on
shapes, in-place operations and shared modules need no special treatment; only code that depends on
the *values* of tensors cannot be recorded.

Functions of ``torch`` and methods of tensors become vertices at the level at which the module calls
them (a linear layer is one vertex, not a transposition and a product). Operations that are called
in another way, such as by TorchScript, are recorded at PyTorch's dispatcher.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch._ops import HigherOrderOperator
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map
from torch.utils.flop_counter import flop_registry

from pyg_nas.errors import NetworkError
from pyg_nas.spaces.modules.call_recorder import CallRecorder
from pyg_nas.spaces.modules.evaluation_mode import (
    copy_attributes,
    evaluation,
    replace_meta_attributes,
    unscripted,
)
from pyg_nas.spaces.modules.nested_tensors import tensors_in
from pyg_nas.spaces.modules.network_graph import NetworkGraph

# Products that torch's counter leaves out: position of the matrix, or of one of two vectors.
_VECTOR_PRODUCTS = {
    torch.ops.aten.mv: 0,
    torch.ops.aten.addmv: 1,
    torch.ops.aten.dot: 0,
    torch.ops.aten.vdot: 0,
}
_FLEX_ATTENTION = "torch.nn.attention.flex_attention"


def graph_of(module: nn.Module, *inputs: Any, **named_inputs: Any) -> NetworkGraph:
    """Return the graph of a module in evaluation mode.

    Args:
        module: On any device, also ``meta``: its weights are neither read nor changed.
        *inputs: Example inputs, of which only shapes and types are used; tensors, also in lists
            and dictionaries, may be on any device.
        **named_inputs: Example inputs by name.

    Raises:
        NetworkError: If the pass fails, naming the operation and the submodule, or if its result
            depends on the values of a tensor.

    Example:
        >>> graph = graph_of(nn.Sequential(nn.Linear(4, 3), nn.ReLU()), torch.zeros(2, 4))
        >>> graph.operations
        ('input', 'linear', 'relu', 'output')
        >>> graph.parameters, graph.macs
        (15, 24)
    """
    if not isinstance(module, nn.Module):
        raise NetworkError(f"a network must be a torch.nn.Module, got {type(module).__name__}")
    name = type(module).__name__
    if isinstance(module, (torch.jit.ScriptModule, nn.DataParallel)):
        module = _Wrapped(module)
    with ExitStack() as stack:
        stack.enter_context(torch.no_grad())
        stack.enter_context(evaluation(module))
        stack.enter_context(_silent_log())
        # The kernel that flop counters support; the others are fused and differ by device.
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        stack.enter_context(_uncompiled_attention())
        fake = FakeTensorMode(allow_non_fake_inputs=True)
        recorder = CallRecorder(fake)
        try:
            state = recorder.fake_state(module)
            replace_meta_attributes(module, recorder.fake)
            copy_attributes(module)
            arguments = tree_map(recorder.fake_input, inputs)
            named = tree_map(recorder.fake_input, named_inputs)
            stack.enter_context(fake)  # only now: under it each new tensor costs a millisecond
            stack.enter_context(_watched(module, recorder))
            result = torch.func.functional_call(module, state, arguments, named)
        except (Exception, SystemExit) as error:  # a user's module may raise anything
            raise recorder.failure(error) from error
    return recorder.finish(result, name)


class _Wrapped(nn.Module):
    """Calls a module that takes no other parameters than its own when it is called directly."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *inputs: Any, **named_inputs: Any) -> Any:
        return self.module(*inputs, **named_inputs)


@contextmanager
def _uncompiled_attention() -> Iterator[None]:
    """Keep ``flex_attention`` from compiling itself, which recorded functions cannot."""
    flex, switch = sys.modules.get(_FLEX_ATTENTION), "_FLEX_ATTENTION_DISABLE_COMPILE_DEBUG"
    before = getattr(flex, switch, None)
    if before is None:  # not imported by the module, or another version of PyTorch
        yield
        return
    setattr(flex, switch, True)
    try:
        yield
    finally:
        setattr(flex, switch, before)


@contextmanager
def _silent_log() -> Iterator[None]:
    """Keep PyTorch from printing where an operation fails: an error says it."""
    logger = logging.getLogger(FakeTensorMode.__module__)
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextmanager
def _watched(module: nn.Module, recorder: CallRecorder) -> Iterator[None]:
    """Record called functions and the submodules that call them."""
    names = {part: name for name, part in module.named_modules()}

    def enter(part: nn.Module, _: Any) -> None:
        recorder.path.append(names.get(part, type(part).__name__))

    def leave(*_: Any) -> None:
        recorder.path.pop()

    hooks = []
    for part in unscripted(module):
        hooks.append(part.register_forward_pre_hook(enter))
        hooks.append(part.register_forward_hook(leave))
    try:
        with _Dispatched(recorder), _Called(recorder):
            yield
    finally:
        for hook in hooks:
            hook.remove()


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
