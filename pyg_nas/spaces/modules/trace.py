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
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import ExitStack, contextmanager
from copy import copy
from dataclasses import fields, is_dataclass, replace
from hashlib import sha256
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch._C._functorch import get_unwrapped, is_functorch_wrapped_tensor
from torch._ops import HigherOrderOperator
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensor,
    FakeTensorMode,
)
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_flatten, tree_map
from torch.utils.flop_counter import flop_registry

from pyg_nas.errors import NetworkError, one_line
from pyg_nas.spaces.modules.equal_forms import reordered
from pyg_nas.spaces.modules.evaluation_mode import (
    copy_attributes,
    evaluation,
    replace_meta_attributes,
    unscripted,
)
from pyg_nas.spaces.modules.functions import described, operand_settings
from pyg_nas.spaces.modules.known_numbers import are_weights, known_numbers, unknown_numbers
from pyg_nas.spaces.modules.moved_bytes import bytes_read
from pyg_nas.spaces.modules.network_graph import NetworkGraph, Vertex
from pyg_nas.spaces.modules.prune import kept_positions, selected
from pyg_nas.spaces.modules.torch_arguments import named_arguments
from pyg_nas.spaces.modules.vocabulary import normalised
from pyg_nas.spaces.modules.window import given_argument, same_padding, window

# The result equals the (first) input in evaluation mode.
_IDENTITIES = frozenset({"contiguous", "detach", "clone", "alias", "dropout", "requires_grad"})

# Products that torch's counter leaves out: position of the matrix, or of one of two vectors.
_VECTOR_PRODUCTS = {
    torch.ops.aten.mv: 0,
    torch.ops.aten.addmv: 1,
    torch.ops.aten.dot: 0,
    torch.ops.aten.vdot: 0,
}
_WEIGHTS = ("weight", "bias", "running_mean", "running_var")  # ends of names of arguments
# Functions whose results are not the same each time.
_WITHOUT_VALUE = (
    *("rand", "empty", "new_empty", "normal", "bernoulli", "multinomial", "poisson", "uniform"),
    *("exponential", "geometric", "cauchy", "log_normal"),
)
_MOST_COMPUTED = 2**20  # numbers of a constant that the module computes
_FLEX_ATTENTION = "torch.nn.attention.flex_attention"
# These do not read the tensor that they change.
_OVERWRITING = frozenset({"__setitem__", "copy_", "fill_", "zero_"})


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
        recorder = _Recorder(fake)
        try:
            state = recorder.fake_state(module)
            replace_meta_attributes(module, recorder.fake)
            copy_attributes(module)
            arguments = tree_map(recorder.fake_input, inputs)
            named = tree_map(recorder.fake_input, named_inputs)
            stack.enter_context(fake)  # only now: under it each new tensor costs a millisecond
            stack.enter_context(recorder.watch(module))
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


class _Recorder:
    """Collects vertices during a forward pass."""

    def __init__(self, mode: FakeTensorMode) -> None:
        self._mode = mode
        self.vertices: list[Vertex] = []
        self.makers: dict[int, tuple[int, ...]] = {}  # id of a tensor: the vertices it comes from
        self.writers: dict[int, tuple[int, ...]] = {}  # id of a storage changed in place: the same
        self.kept: list[Tensor] = []  # ids are only unique among tensors that are alive
        self.weights: dict[int, int] = {}  # id of a parameter: its numbers, 0 after its first use
        self.sizes: dict[int, int] = {}
        self.parameter_ids: dict[int, int] = {}
        self.constants: set[int] = set()  # vertices that depend on no input and no parameter
        # Of a constant by its id: its storage, and a tensor with its numbers.
        self.values: dict[int, tuple[int, Tensor]] = {}
        self.numbers: dict[int, int] = {}  # id of a tensor: its place among several results
        self.path: list[str] = []  # names of the submodules that are running
        # Of the function that is recorded:
        self.operation = ""
        self.macs = 0
        self.changed: list[Tensor] = []  # in place
        self.inside = False

    def fake_state(self, module: nn.Module) -> dict[str, Tensor]:
        """Return fake parameters and buffers by name; a shared one is one tensor."""
        fakes: dict[int, Tensor] = {}
        state = {}
        trainable = {id(parameter) for parameter in module.parameters()}
        named = [
            *module.named_parameters(remove_duplicate=False),
            *module.named_buffers(remove_duplicate=False),
        ]
        for name, tensor in named:
            if nn.parameter.is_lazy(tensor):
                raise NetworkError(
                    f"parameter {name!r} of a lazy module has no shape yet: run the module once"
                )
            if id(tensor) not in fakes:
                made = self.fake(tensor)
                fakes[id(tensor)] = made
                if id(tensor) in trainable:
                    self.parameter_ids[id(made)] = len(self.sizes)
                    self.weights[id(made)] = self.sizes[id(made)] = tensor.numel()
                elif not tensor.is_meta:
                    self.values[id(made)] = _storage(made), tensor
            state[name] = fakes[id(tensor)]
        return state

    def fake_input(self, value: Any) -> Any:
        """Return a fake tensor for a tensor, also inside of objects, and make a vertex for it."""
        if not isinstance(value, Tensor):
            return _mapped(self.fake_input, value)
        made = self.fake(value)
        self._add(Vertex("input", f"input {len(self.vertices)}", (), *_shape_and_dtype(made)), made)
        return made

    def fake(self, tensor: Tensor) -> Tensor:
        """Return a fake tensor of the same shape and type."""
        if tensor.is_nested:
            raise NetworkError("a nested tensor has no shape: give padded ones")
        if tensor.is_meta:  # treated as if on the CPU, where constants of the code are
            made: Tensor = FakeTensor(self._mode, torch.empty_like(tensor), torch.device("cpu"))
        else:
            made = self._mode.from_tensor(tensor.detach())
        self.kept.append(made)
        return made

    @contextmanager
    def watch(self, module: nn.Module) -> Iterator[None]:
        """Record called functions and the submodules that call them."""
        names = {part: name for name, part in module.named_modules()}

        def enter(part: nn.Module, _: Any) -> None:
            self.path.append(names.get(part, type(part).__name__))

        def leave(*_: Any) -> None:
            self.path.pop()

        hooks = []
        for part in unscripted(module):
            hooks.append(part.register_forward_pre_hook(enter))
            hooks.append(part.register_forward_hook(leave))
        try:
            with _Dispatched(self), _Called(self):
                yield
        finally:
            for hook in hooks:
                hook.remove()

    def record(self, function: Any, name: str, arguments: Any, call: Callable[[], Any]) -> Any:
        """Run one function and make a vertex for its results."""
        self.operation, self.macs, self.changed, self.inside = name, 0, [], True
        try:
            result = call()
            self._note(function, name, arguments, result)
        finally:
            self.inside = False
        return result

    def _note(self, function: Any, name: str, arguments: Any, result: Any) -> None:
        given, made = _tensors(arguments), _tensors(result)
        storages = {_storage(tensor) for tensor in given}
        changed = [tensor for tensor in self.changed if _storage(tensor) in storages]
        if changed and not made:  # as of an assignment to a part of a tensor
            made = given[:1]
        if not made:
            return
        plain = name.rstrip("_")
        same_type = bool(given) and given[0].dtype == made[0].dtype
        if plain in _IDENTITIES or (plain == "to" and same_type):
            for tensor in made:
                self._remember(tensor, self._sources(given[0]), self.numbers.get(id(given[0]), 0))
                if id(given[0]) in self.values:
                    self.values[id(tensor)] = _storage(tensor), self.values[id(given[0])][1]
            return
        weights = {id(t): self.sizes[id(t)] for t in given if id(t) in self.sizes}
        results = [tensor for tensor in made if _storage(tensor) not in storages]  # no views
        written = sum(_bytes(tensor) for tensor in _distinct(changed + results))
        read = _distinct(given[1:] if name in _OVERWRITING else given)
        places = {_storage(tensor) for tensor in changed}
        constants = self.values.items() if places else ()
        stale = [key for key, (place, _) in constants if place in places]
        for key in stale:  # which part of a constant is changed is known from its maker
            if self.makers.get(key):
                del self.values[key]
        vertex = self._vertex(function, name, arguments, given, made)
        counted = replace(
            vertex,
            weights=sum(weights.values()),
            parameters=sum(self.weights.pop(key, 0) for key in weights),
            macs=self.macs or self._uncounted_macs(name, vertex.operation, given),
            bytes_read=bytes_read(vertex.operation, list(map(_bytes, read)), written),
            bytes_written=written,
            parameter_ids=tuple(self.parameter_ids[key] for key in weights),
        )
        self._add(counted, *made)
        if len(self.vertices) - 1 in self.constants and not changed:
            self._compute(function, name, arguments, made)
        for tensor in changed:
            self.writers[_storage(tensor)] = (len(self.vertices) - 1,)
        for key in stale:
            self.values.pop(key, None)

    def _vertex(
        self, function: Any, name: str, arguments: Any, given: list[Tensor], made: list[Tensor]
    ) -> Vertex:
        """Return the vertex of a call, without its weights and what it costs."""
        transposed = name.lstrip("_") == "convolution" and given_argument(
            arguments, 6, "transposed", False
        )  # of the dispatcher, and of torch.jit.trace with a line before its name
        operation = "conv_transpose" if transposed else normalised(name)
        attributes = window(name.strip("_"), arguments, given)
        other, equal_name, ordered = function, operation if transposed else name, arguments
        if (equal := reordered(name, *arguments)) is not None:
            other, (equal_name, *ordered) = None, equal
        found = named_arguments(other, equal_name, ordered)
        by_name = _tensors(found)
        if "split" in equal_name or operation == "split":
            found["parts"] = [tuple(tensor.shape) for tensor in made]
        if found.get("padding") == "same":
            found["pads"] = same_padding(attributes["kernel"], found.get("dilation", 1))
        marked = {key: self._marked(key, value) for key, value in found.items()}
        shapes = tuple(by_name[0].shape) if by_name else (), tuple(made[0].shape)
        called, settings = described(equal_name, operation, marked, shapes, attributes)
        return Vertex(
            operation,
            f"{self.path[-1] if self.path else ''}:{name}".removeprefix(":"),
            tuple(source for tensor in by_name for source in self._sources(tensor)),
            *_shape_and_dtype(made[0]),
            **attributes,
            function=called,
            settings=settings,
        )

    def _marked(self, name: str, value: Any) -> Any:
        """Return an argument with names of tensors in place of them; edges show the others."""
        if isinstance(value, (tuple, list)):
            return [self._marked(name, item) for item in value]
        if not isinstance(value, Tensor):
            return value
        (tensor,) = _tensors(value)
        sources = self._sources(tensor)
        if not self.constants.issuperset(sources):
            number = self.numbers.get(id(tensor), 0)
            return f"#{number}" if number else ""
        if not sources and name.endswith(_WEIGHTS) and tensor.dim():  # lerp has one number
            return ""
        if id(tensor) in self.sizes:
            return f"parameter {tuple(tensor.shape)}"
        _, numbers = self.values.get(id(tensor), (0, tensor))
        array = None if isinstance(numbers, FakeTensor) else _array(numbers, whole=bool(sources))
        if array is not None:
            return known_numbers(array)
        unknown = unknown_numbers(tuple(tensor.shape))
        made = "".join(self.vertices[source].label() for source in sources)
        if made and (number := self.numbers.get(id(tensor), 0)):
            made += f"#{number}"
        return f"{unknown} {sha256(made.encode()).hexdigest()[:16]}" if made else unknown

    def _compute(self, function: Any, name: str, arguments: Any, made: list[Tensor]) -> None:
        """Compute the numbers of a constant, if those that it is computed from are known."""
        if (
            name.startswith(_WITHOUT_VALUE)
            or sum(tensor.numel() for tensor in made) > _MOST_COMPUTED
        ):
            return

        def value(item: Any) -> Any:
            """Return a copy, which the function may change."""
            if not isinstance(item, Tensor):
                return item
            known = self.values[id(item)][1] if isinstance(item, FakeTensor) else item
            if known.numel() > _MOST_COMPUTED:
                raise ValueError
            return known.clone()

        positional, named = arguments
        try:
            with _disable_current_modes():
                result = function(*tree_map(value, positional), **tree_map(value, named))
        except Exception:  # an unknown one, or a function of fake tensors alone
            return
        self.values.update(
            (id(fake), (_storage(fake), real))
            for fake, real in zip(made, _tensors(result), strict=False)
        )

    def _uncounted_macs(self, name: str, operation: str, given: list[Tensor]) -> int:
        """Multiply-accumulates of fused kernels: each position times each matrix, once.

        In a bilinear layer the results of the first input times the matrices ``[O, I, J]`` are
        multiplied by the second input.
        """
        if operation not in ("linear", "recurrent"):
            return 0
        positions = given[0].numel() // max(given[0].shape[-1], 1)
        matrices = [t for t in _distinct(given) if id(t) in self.sizes and t.dim() > 1]
        counts = [tensor.numel() for tensor in matrices]
        if name == "bilinear":
            counts += [tensor.numel() // max(tensor.shape[1], 1) for tensor in matrices]
        return positions * sum(counts)

    def _add(self, vertex: Vertex, *made: Tensor) -> None:
        if (
            vertex.operation != "input"
            and not vertex.weights
            and self.constants.issuperset(vertex.sources)
        ):
            self.constants.add(len(self.vertices))
        self.vertices.append(vertex)
        for number, tensor in enumerate(made):
            self._remember(tensor, (len(self.vertices) - 1,), number)

    def _remember(self, tensor: Tensor, vertices: tuple[int, ...], number: int) -> None:
        self.makers[id(tensor)] = vertices
        self.numbers[id(tensor)] = number
        self.kept.append(tensor)

    def _sources(self, tensor: Tensor) -> tuple[int, ...]:
        made = self.makers.get(id(tensor), ())
        written = self.writers.get(_storage(tensor), ())
        # A view depends on later in-place writes to its memory.
        return written if written and max(written) > max(made, default=-1) else made

    def failure(self, error: BaseException) -> NetworkError:
        """Return an error that names the operation and submodule at which the pass failed."""
        where = next((name for name in reversed(self.path) if name), "the network")
        if isinstance(error, NetworkError):
            return error if where == "the network" else NetworkError(f"{where}: {error}")
        depends = isinstance(error, (DataDependentOutputException, DynamicOutputShapeException))
        reason = "the result depends on the values of a tensor" if depends else one_line(error)
        return NetworkError(f"{where}: operation {self.operation or 'call'!r} failed: {reason}")

    def finish(self, result: Any, name: str) -> NetworkGraph:
        """Add the output and remove vertices that do not lead to it."""
        made = _tensors(result)
        sources = tuple(source for tensor in made for source in self._sources(tensor))
        if not sources:
            raise NetworkError(
                f"{name} must return a tensor that depends on its inputs or parameters, got a "
                f"{type(result).__name__}"
            )
        marks = [str(self._marked("", one)) for one in made]
        self.vertices.append(
            Vertex(
                *("output", "output", sources, *_shape_and_dtype(made[0])),
                settings=" ".join(operand_settings(marks)),
            )
        )
        vertices = selected(self.vertices, kept_positions(self.vertices))
        total = sum(self.sizes.values())
        used = sum(vertex.parameters for vertex in vertices)
        return NetworkGraph(vertices, total - used, {"source": name})


class _Called(TorchFunctionMode):
    """Intercepts functions of ``torch`` and methods of tensors that the module's code calls."""

    def __init__(self, recorder: _Recorder) -> None:
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

    def __init__(self, recorder: _Recorder) -> None:
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


def _mapped(change: Callable[[Any], Any], value: Any) -> Any:
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


def _tensors(value: Any) -> list[Tensor]:
    """Return the tensors in a nested value, as they are outside of transformations."""
    found = []
    for leaf in tree_flatten(value)[0]:
        if isinstance(leaf, Tensor):
            while is_functorch_wrapped_tensor(leaf):
                leaf = get_unwrapped(leaf)
            found.append(leaf)
        elif isinstance(leaf, Mapping):
            found += _tensors(list(leaf.values()))
        elif isinstance(leaf, (set, frozenset)):
            found += _tensors(list(leaf))
        elif _is_record(leaf):
            found += _tensors([getattr(leaf, item.name) for item in fields(leaf)])
    return found


def _changed(function: Any, arguments: Any, named: dict[str, Any]) -> list[Tensor]:
    """Return the arguments whose numbers an operation of the dispatcher changes."""
    schema = getattr(function, "_schema", None)
    # Those that change shape and strides alone, such as squeeze_, make views.
    if schema is None or not schema.is_mutable or torch.Tag.inplace_view in function.tags:
        return []
    positional = [*arguments, *[None] * (len(schema.arguments) - len(arguments))]
    given = zip(schema.arguments, positional, strict=True)
    return _tensors([named.get(item.name, value) for item, value in given if item.is_write])


def _shape_and_dtype(tensor: Tensor) -> tuple[tuple[int, ...], str]:
    return tuple(int(size) for size in tensor.shape), str(tensor.dtype).removeprefix("torch.")


def _distinct(tensors: list[Tensor]) -> list[Tensor]:
    return list({id(tensor): tensor for tensor in tensors}.values())


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _array(tensor: Tensor, *, whole: bool) -> NDArray[Any] | None:
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


def _storage(tensor: Tensor) -> int:
    if tensor.layout != torch.strided:  # has no storage
        return id(tensor)
    return int(tensor.untyped_storage()._cdata)
