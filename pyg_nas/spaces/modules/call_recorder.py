"""Vertices of the functions that a forward pass of fake tensors calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensor,
    FakeTensorMode,
)
from torch.utils._python_dispatch import _disable_current_modes
from torch.utils._pytree import tree_map

from pyg_nas.errors import NetworkError, one_line
from pyg_nas.io.user_code import error_text, user_line
from pyg_nas.spaces.modules.equal_forms import reordered
from pyg_nas.spaces.modules.functions import described, operand_settings
from pyg_nas.spaces.modules.known_numbers import known_numbers, unknown_numbers
from pyg_nas.spaces.modules.moved_bytes import bytes_read
from pyg_nas.spaces.modules.nested_tensors import (
    bytes_in,
    distinct,
    known_array,
    mapped,
    shape_and_dtype,
    storage_of,
    tensors_in,
)
from pyg_nas.spaces.modules.network_graph import NetworkGraph, Vertex
from pyg_nas.spaces.modules.prune import kept_positions, selected
from pyg_nas.spaces.modules.torch_arguments import named_arguments
from pyg_nas.spaces.modules.vocabulary import normalised
from pyg_nas.spaces.modules.window import given_argument, same_padding, window

# The result equals the (first) input in evaluation mode.
_IDENTITIES = frozenset({"contiguous", "detach", "clone", "alias", "dropout", "requires_grad"})
_WEIGHTS = ("weight", "bias", "running_mean", "running_var")  # ends of names of arguments
# Functions whose results are not the same each time.
_WITHOUT_VALUE = (
    *("rand", "empty", "new_empty", "normal", "bernoulli", "multinomial", "poisson", "uniform"),
    *("exponential", "geometric", "cauchy", "log_normal"),
)
_MOST_COMPUTED = 2**20  # numbers of a constant that the module computes
# These do not read the tensor that they change.
_OVERWRITING = frozenset({"__setitem__", "copy_", "fill_", "zero_"})


class CallRecorder:
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
        # Of the function that is recorded, or that failed:
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
                    self.values[id(made)] = storage_of(made), tensor
            state[name] = fakes[id(tensor)]
        return state

    def fake_input(self, value: Any) -> Any:
        """Return a fake tensor for a tensor, also inside of objects, and make a vertex for it."""
        if not isinstance(value, Tensor):
            return mapped(self.fake_input, value)
        made = self.fake(value)
        self._add(Vertex("input", f"input {len(self.vertices)}", (), *shape_and_dtype(made)), made)
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

    def record(self, function: Any, name: str, arguments: Any, call: Callable[[], Any]) -> Any:
        """Run one function and make a vertex for its results."""
        self.operation, self.macs, self.changed, self.inside = name, 0, [], True
        try:
            result = call()
            self._note(function, name, arguments, result)
            self.operation = ""
        finally:
            self.inside = False
        return result

    def _note(self, function: Any, name: str, arguments: Any, result: Any) -> None:
        given, made = tensors_in(arguments), tensors_in(result)
        storages = {storage_of(tensor) for tensor in given}
        changed = [tensor for tensor in self.changed if storage_of(tensor) in storages]
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
                    self.values[id(tensor)] = storage_of(tensor), self.values[id(given[0])][1]
            return
        weights = {id(t): self.sizes[id(t)] for t in given if id(t) in self.sizes}
        results = [tensor for tensor in made if storage_of(tensor) not in storages]  # no views
        written = sum(bytes_in(tensor) for tensor in distinct(changed + results))
        read = distinct(given[1:] if name in _OVERWRITING else given)
        places = {storage_of(tensor) for tensor in changed}
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
            bytes_read=bytes_read(vertex.operation, list(map(bytes_in, read)), written),
            bytes_written=written,
            parameter_ids=tuple(self.parameter_ids[key] for key in weights),
        )
        self._add(counted, *made)
        if len(self.vertices) - 1 in self.constants and not changed:
            self._compute(function, name, arguments, made)
        for tensor in changed:
            self.writers[storage_of(tensor)] = (len(self.vertices) - 1,)
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
        by_name = tensors_in(found)
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
            *shape_and_dtype(made[0]),
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
        (tensor,) = tensors_in(value)
        sources = self._sources(tensor)
        if not self.constants.issuperset(sources):
            number = self.numbers.get(id(tensor), 0)
            return f"#{number}" if number else ""
        if not sources and name.endswith(_WEIGHTS) and tensor.dim():  # lerp has one number
            return ""
        if id(tensor) in self.sizes:
            return f"parameter {tuple(tensor.shape)}"
        _, numbers = self.values.get(id(tensor), (0, tensor))
        array = (
            None if isinstance(numbers, FakeTensor) else known_array(numbers, whole=bool(sources))
        )
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
            (id(fake), (storage_of(fake), real))
            for fake, real in zip(made, tensors_in(result), strict=False)
        )

    def _uncounted_macs(self, name: str, operation: str, given: list[Tensor]) -> int:
        """Multiply-accumulates of fused kernels: each position times each matrix, once.

        In a bilinear layer the results of the first input times the matrices ``[O, I, J]`` are
        multiplied by the second input.
        """
        if operation not in ("linear", "recurrent"):
            return 0
        positions = given[0].numel() // max(given[0].shape[-1], 1)
        matrices = [t for t in distinct(given) if id(t) in self.sizes and t.dim() > 1]
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
        written = self.writers.get(storage_of(tensor), ())
        # A view depends on later in-place writes to its memory.
        return written if written and max(written) > max(made, default=-1) else made

    def failure(self, error: BaseException) -> NetworkError:
        """Return an error that names where the pass failed: the submodule and operation, or line.

        The line is known in a file that the user has named.
        """
        where = next((name for name in reversed(self.path) if name), "the network")
        if isinstance(error, NetworkError):
            return error if where == "the network" else NetworkError(f"{where}: {error}")
        depends = isinstance(error, (DataDependentOutputException, DynamicOutputShapeException))
        line = user_line(error) or ""
        if depends:
            reason = "the result depends on the values of a tensor"
        else:
            reason = one_line(error) if self.operation else error_text(error)
        if self.operation:  # otherwise the module's own code failed between two operations
            line = f"operation {self.operation!r} failed{' in ' * bool(line)}{line}"
        return NetworkError(": ".join(part for part in (where, line, reason) if part))

    def finish(self, result: Any, name: str) -> NetworkGraph:
        """Add the output and remove vertices that do not lead to it."""
        made = tensors_in(result)
        sources = tuple(source for tensor in made for source in self._sources(tensor))
        if not sources:
            raise NetworkError(
                f"{name} must return a tensor that depends on its inputs or parameters, got a "
                f"{type(result).__name__}"
            )
        marks = [str(self._marked("", one)) for one in made]
        self.vertices.append(
            Vertex(
                *("output", "output", sources, *shape_and_dtype(made[0])),
                settings=" ".join(operand_settings(marks)),
            )
        )
        vertices = selected(self.vertices, kept_positions(self.vertices))
        total = sum(self.sizes.values())
        used = sum(vertex.parameters for vertex in vertices)
        return NetworkGraph(vertices, total - used, {"source": name})
