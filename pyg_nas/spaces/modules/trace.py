"""The graph of a PyTorch module, recorded from one pass of fake tensors.

Fake tensors have shapes and types but no values, so that neither weights nor activations need
memory and a pass takes milliseconds. The module's own Python code runs: loops, conditions on
shapes, in-place operations and shared modules need no special treatment; only code that depends on
the *values* of tensors cannot be recorded.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._pytree import tree_map

from pyg_nas.errors import NetworkError
from pyg_nas.spaces.modules.call_recorder import CallRecorder
from pyg_nas.spaces.modules.evaluation_mode import (
    copy_attributes,
    evaluation,
    replace_meta_attributes,
)
from pyg_nas.spaces.modules.interception import intercepted
from pyg_nas.spaces.modules.network_graph import NetworkGraph

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
            stack.enter_context(intercepted(module, recorder))
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
