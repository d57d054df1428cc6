"""The graph of one network: vertices are operations, edges are the flow of data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.errors import NetworkError
from pyg_nas.spaces.modules.functions import is_commutative, without_results
from pyg_nas.spaces.modules.fused import fused
from pyg_nas.spaces.modules.moved_bytes import bytes_of_number
from pyg_nas.spaces.modules.vocabulary import NUM_COLUMNS, column

if TYPE_CHECKING:
    from torch_geometric.data import Data

_LARGEST = 2**63 - 1
_MOST_CHOICES = 32  # among equal vertices, because each one takes as long as a hash without them
_Link = tuple[int, bytes]  # position of another vertex, and which argument it is


@dataclass(frozen=True)
class Vertex:
    """One operation of a network.

    Attributes:
        operation: Normalised name, see :mod:`pyg_nas.spaces.modules.vocabulary`; ``input`` and
            ``output`` for the network's own.
        name: The function and the module that calls it, for users.
        sources: Vertices whose results it reads, by argument.
        shape: Shape of its (first) result.
        dtype: Type of its result, as ``float32``.
        kernel: Size of the window of a convolution or pooling.
        stride: Step of that window.
        groups: Groups of a convolution or normalisation.
        heads: Heads of an attention.
        weights: Number of parameters that it reads, shared ones included.
        parameters: The same, but a shared parameter counts only at its first use.
        macs: Multiply-accumulates of products and convolutions.
        bytes_read: Bytes that it reads (:mod:`pyg_nas.spaces.modules.moved_bytes`).
        bytes_written: Bytes that it writes; 0 if its results are views of its inputs.
        function: Which of the functions of this operation it is, as ``sub``, by the name that
            all sources have in common (:mod:`pyg_nas.spaces.modules.functions`); empty for that
            of the operation.
        settings: Its other arguments, as ``alpha=0.5``.
        parameter_ids: Numbers of the parameters that it reads, by which shared ones are found.
    """

    operation: str
    name: str = ""
    sources: tuple[int, ...] = ()
    shape: tuple[int, ...] = ()
    dtype: str = ""
    kernel: tuple[int, ...] = ()
    stride: tuple[int, ...] = ()
    groups: int = 1
    heads: int = 1
    weights: int = 0
    parameters: int = 0
    macs: int = 0
    bytes_read: int = 0
    bytes_written: int = 0
    function: str = ""
    settings: str = ""
    parameter_ids: tuple[int, ...] = ()

    def label(self) -> str:
        """Return the attributes by which operations of two networks are compared."""
        function, window = self.function or self.operation, (self.kernel, self.stride)
        numbers = (self.groups, self.heads, self.weights, self.macs)
        return repr((function, self.shape, self.dtype, *window, *numbers, self.settings))


ATTRIBUTES = (
    "log parameters",
    "log multiply-accumulates",
    "log bytes read",
    "log bytes written",
    "log size of the result",
    "log channels",
    "log positions",
    "kernel",
    "stride",
    "log groups",
    "log heads",
    "bytes of a number",
)
"""Names of the numbers that follow the one-hot operation in ``x``."""


@dataclass(frozen=True)
class NetworkGraph:
    """The operations of a network in topological order.

    Args:
        vertices: Each reads the results of earlier ones; inputs first, the output last.
        unused_parameters: Number of parameters that no operation reads.
        about: Provenance of the graph (JSON values).

    Raises:
        NetworkError: If a vertex reads a later one, a number is negative or needs more than 64
            bits, or the terminals are not in their places.
    """

    vertices: tuple[Vertex, ...]
    unused_parameters: int = 0
    about: dict[str, object] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        if not self.vertices or self.vertices[-1].operation != "output":
            raise NetworkError("the last vertex of a network must be its output")
        for position, vertex in enumerate(self.vertices):
            if any(not 0 <= source < position for source in vertex.sources):
                raise NetworkError(
                    f"vertex {position} ({vertex.operation}) reads {vertex.sources}; it may only "
                    f"read vertices before it"
                )
            _check_numbers(position, vertex)
        if max(self.parameters, self.macs) > _LARGEST:
            raise NetworkError(f"the network has more than {_LARGEST:,} parameters or MACs")

    def __len__(self) -> int:
        return len(self.vertices)

    @property
    def operations(self) -> tuple[str, ...]:
        """Normalised operation of every vertex, ``V`` of them."""
        return tuple(vertex.operation for vertex in self.vertices)

    @cached_property
    def edge_index(self) -> NDArray[np.int64]:
        """Edges (source, target) without repetitions, int64 ``[2, E]``, by target and source."""
        edges = [
            (source, target)
            for target, vertex in enumerate(self.vertices)
            for source in sorted(set(vertex.sources))
        ]
        return np.asarray(np.array(edges, dtype=np.int64).reshape(-1, 2).T)

    @property
    def num_edges(self) -> int:
        """Number of edges."""
        return int(self.edge_index.shape[1])

    @property
    def parameters(self) -> int:
        """Trainable and frozen parameters, each counted once: ``sum(p.numel())``."""
        return sum(vertex.parameters for vertex in self.vertices) + self.unused_parameters

    @property
    def macs(self) -> int:
        """Multiply-accumulates of products and convolutions for the example inputs."""
        return sum(vertex.macs for vertex in self.vertices)

    @cached_property
    def hash(self) -> str:
        """64 hex digits that depend neither on names and weights nor on the order of operations.

        The hash is that of the descriptions of all vertices, and of those of the readers of each
        shared parameter. Vertices that compute one operation count as one
        (:mod:`pyg_nas.spaces.modules.fused`).
        """
        vertices = fused(self.vertices)
        descriptions = _descriptions(vertices)
        readers: dict[int, list[bytes]] = {}
        for vertex, description in zip(vertices, descriptions, strict=True):
            for number in vertex.parameter_ids:
                readers.setdefault(number, []).append(description)
        shared = [b"".join(sorted(found)) for found in readers.values() if len(found) > 1]
        return sha256(b"".join(sorted(descriptions) + sorted(shared))).hexdigest()

    def features(self) -> NDArray[np.float32]:
        """Return one-hot operations and :data:`ATTRIBUTES`, float32 ``[V, columns + 12]``."""
        return one_hot(self.columns(), self.attributes())

    def columns(self) -> NDArray[np.int64]:
        """Return the one-hot column of every vertex' operation, int64 ``[V]``."""
        return np.array([column(vertex.operation) for vertex in self.vertices], dtype=np.int64)

    def attributes(self) -> NDArray[np.float32]:
        """Return :data:`ATTRIBUTES` of every vertex, float32 ``[V, 12]``."""
        return np.array([_attributes(vertex) for vertex in self.vertices], dtype=np.float32)

    def to_data(self) -> Data:
        """Return the graph as PyG data.

        Returns:
            ``Data`` with ``x`` float32 ``[V, columns]`` of :meth:`features`, ``edge_index`` int64
            ``[2, E]``, and the scalars ``parameters`` and ``macs``.
        """
        import torch
        from torch_geometric.data import Data

        return Data(
            x=torch.from_numpy(self.features()),
            edge_index=torch.from_numpy(self.edge_index),
            parameters=self.parameters,
            macs=self.macs,
        )


def one_hot(columns: NDArray[Any], attributes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return operations ``[V]`` one-hot beside attributes ``[V, 12]``, float32 ``[V, inputs]``."""
    return np.hstack([np.eye(NUM_COLUMNS, dtype=np.float32)[columns], attributes])


def _check_numbers(position: int, vertex: Vertex) -> None:
    sizes = (*vertex.shape, *vertex.kernel, *vertex.stride, vertex.weights, vertex.parameters)
    counts = (*sizes, vertex.macs, vertex.bytes_read, vertex.bytes_written)
    parts = (vertex.groups, vertex.heads)
    valid = min(counts) >= 0 and min(parts) >= 1
    if not valid or max(*counts, *parts) > _LARGEST:
        raise NetworkError(
            f"vertex {position} ({vertex.operation}) has a negative or impossible number: shape "
            f"{vertex.shape}, kernel {vertex.kernel}, stride {vertex.stride}, groups "
            f"{vertex.groups}, heads {vertex.heads}, MACs {vertex.macs}"
        )


def _descriptions(vertices: Sequence[Vertex]) -> list[bytes]:
    """Return a digest of each vertex and of all that is linked to it.

    First the labels are digested, then each vertex with those that it reads, from the inputs to the
    output, and with those that read it, back to the inputs. This is repeated until it distinguishes
    no more vertices. If some are equal then, as two inputs may be, each of them in turn is made a
    special one, and that is kept whose digests are the first in order. Without this ``x`` that
    attends to ``y``, and ``y`` to ``x``, could not be told from both attending to themselves.
    """
    labels, read = zip(*map(_label_and_links, vertices), strict=True)
    readers: list[list[_Link]] = [[] for _ in vertices]
    for position, links in enumerate(read):
        for source, role in links:
            readers[source].append((position, role))
    digests = [sha256(label.encode("utf-8", "surrogatepass")).digest() for label in labels]
    _refine(digests, read, readers)
    left = _MOST_CHOICES
    while equal := [(number, digest) for digest, number in Counter(digests).items() if number > 1]:
        number, chosen = min(equal)
        if number > left:
            break
        left -= number
        choices = []
        for position in (i for i, digest in enumerate(digests) if digest == chosen):
            choice = list(digests)
            choice[position] = sha256(chosen).digest()
            _refine(choice, read, readers)
            choices.append(choice)
        digests = min(choices, key=sorted)
    return digests


def _label_and_links(vertex: Vertex) -> tuple[str, list[_Link]]:
    """Return the label of a vertex, and which sources it reads as what.

    That is the position of an argument, or, if the order does not matter, which one of several
    results of the source it is.
    """
    if not is_commutative(vertex.function or vertex.operation):
        return vertex.label(), [(source, b"%d" % i) for i, source in enumerate(vertex.sources)]
    settings, results = without_results(vertex.settings)
    if len(results) != len(vertex.sources):
        return vertex.label(), [(source, b"") for source in vertex.sources]
    roles = (result.encode() for result in results)
    return replace(vertex, settings=settings).label(), list(zip(vertex.sources, roles, strict=True))


def _refine(
    digests: list[bytes], read: Sequence[Sequence[_Link]], readers: Sequence[Sequence[_Link]]
) -> None:
    """Add the digests of linked vertices until no more vertices are distinguished."""
    distinct = 0
    while len(set(digests)) > distinct:
        distinct = len(set(digests))
        _add_linked(digests, read, range(len(digests)))
        _add_linked(digests, readers, range(len(digests) - 1, -1, -1))


def _add_linked(
    digests: list[bytes], linked: Sequence[Sequence[_Link]], order: Iterable[int]
) -> None:
    """Add to the digest of each vertex those of linked ones, which precede it in ``order``."""
    for position in order:
        others = sorted(role + digests[other] for other, role in linked[position])
        digests[position] = sha256(b"|".join([digests[position], *others])).digest()


def _attributes(vertex: Vertex) -> list[float]:
    channels = vertex.shape[1] if len(vertex.shape) > 1 else 1
    size = float(np.prod(vertex.shape, dtype=np.float64))
    positions = size / max(channels * (vertex.shape[0] if vertex.shape else 1), 1)
    return [
        *np.log1p([vertex.parameters, vertex.macs, vertex.bytes_read, vertex.bytes_written]),
        *np.log1p([size, channels, positions]),
        float(np.mean(vertex.kernel)) if vertex.kernel else 0.0,
        float(np.mean(vertex.stride)) if vertex.stride else 0.0,
        *np.log([vertex.groups, vertex.heads]),
        bytes_of_number(vertex.dtype),
    ]
