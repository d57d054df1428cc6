"""Networks of a user's builder: trained side by side, counted, and checked before the first run."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from pyg_nas.errors import MeasureError, PygNasError, SpaceError, one_line, quoted
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_network import NetworkSize, UniformWidth
from pyg_nas.spaces.graph_text import to_text

if TYPE_CHECKING:
    from pyg_nas.graphs.cell_array import CellArray
    from pyg_nas.graphs.search_space import SearchSpace

Builder = Callable[[Cell, NetworkSize], nn.Module]
"""Returns the network of a cell for a task: images ``[B, C, H, W]`` to logits ``[B, labels]``."""

_TRIED_IMAGES = 2
_PACKAGE = Path(__file__).parents[2]
_PROCESSOR = torch.device("cpu")
_drawing = threading.Lock()  # torch's global generator is seeded meanwhile


class OwnNetwork(nn.Module):
    """Networks of one cell, made by the user's builder, that are trained side by side.

    Attributes:
        step: Step of the training, which sets it. Random numbers of layers such as dropout then
            depend on the member's random seed and the step alone. None for torch's global
            generator.

    Args:
        make: Makes a network with the weights of a random seed.
        members: Number of networks.
    """

    def __init__(self, make: Callable[[int], nn.Module], members: int) -> None:
        super().__init__()
        self._make = make
        self._seeds = [0] * members
        self.step: int | None = None
        self.members = nn.ModuleList(make(0) for _ in range(members))

    def initialize(self, generators: Sequence[torch.Generator]) -> None:
        """Make every member again with a seed from its generator."""
        for member, generator in enumerate(generators):
            seed = int(torch.randint(2**62, (), generator=generator))
            self._seeds[member] = seed
            self.members[member] = self._make(seed)

    def forward(self, images: Tensor) -> Tensor:
        """Map each member's images ``[M, B, C, H, W]`` to logits ``[M, B, labels]``."""
        return torch.stack([self._run(member, seen) for member, seen in enumerate(images)])

    def _run(self, member: int, images: Tensor) -> Any:
        if self.step is None or not self.training:
            return self.members[member](images)
        seed = sha256(f"{self._seeds[member]} {self.step}".encode()).digest()
        with _seeded(int.from_bytes(seed[:8], "big") >> 1, images.device):
            return self.members[member](images)


class OwnNetworks(UniformWidth):
    """The networks of a space's cells by a user's builder.

    Args:
        space: The space.
        builder: Makes the network of a cell for a task.
    """

    sufficient_stem_channels = 1

    def __init__(self, space: SearchSpace, builder: Builder) -> None:
        self._space = space
        self._builder = builder
        self._counts: dict[tuple[str, str, NetworkSize], int] = {}

    @property
    def size(self) -> NetworkSize:
        """Raise an error: networks of a user have the size of a task.

        Raises:
            SpaceError: Always.
        """
        raise SpaceError(
            f"networks of {self._space.name!r} have no official size: give the size of a task, "
            f"task.network_size"
        )

    def trainable_parameters(
        self, cells: CellArray, size: NetworkSize | None = None
    ) -> NDArray[np.int64]:
        """Return the parameters that are trained, ``[N]``; frozen ones do not count.

        Raises:
            SpaceError: If no size is given.
            MeasureError: If the builder fails.
        """
        return self._counted("parameters", cells, size, _trained)

    def macs(self, cells: CellArray, size: NetworkSize | None = None) -> NDArray[np.int64]:
        """Return the multiply-accumulates of one image, ``[N]``, counted in a forward pass.

        Raises:
            SpaceError: If no size is given.
            MeasureError: If the builder or the pass fails.
        """
        return self._counted("macs", cells, size, _multiplied)

    def _counted(
        self,
        what: str,
        cells: CellArray,
        size: NetworkSize | None,
        count: Callable[[nn.Module, NetworkSize], int],
    ) -> NDArray[np.int64]:
        size = self.size if size is None else size
        counts = np.empty(len(cells), dtype=np.int64)
        for row, cell in enumerate(cells):
            key = (what, cell.hash, size)
            if key not in self._counts:
                self._counts[key] = count(self._made(cell, size, 0), size)
            counts[row] = self._counts[key]
        return counts

    def build(
        self,
        cell: Cell,
        size: NetworkSize | None = None,
        members: int = 1,
        batch_norm_momentum: float | None = None,
    ) -> OwnNetwork:
        """Return ``members`` networks of a cell; their batch normalisation is the builder's.

        Raises:
            SpaceError: If no size is given.
            MeasureError: If the builder fails.
        """
        known = self.size if size is None else size
        return OwnNetwork(lambda seed: self._made(cell, known, seed), members)

    def fingerprint(self, size: NetworkSize) -> str:
        """Try networks with every operation, and return a digest of their layers and weights.

        The digest changes with the layers, the shapes of their weights, and the values of
        weights that no random seed changes, such as those of a pretrained stem. It does not
        change with the text of the code.

        Raises:
            MeasureError: If a network cannot be built, run or trained, or has other outputs than
                logits of the task.
        """
        digest = sha256()
        for cell in trial_cells(self._space):
            network = self._made(cell, size, 0)
            digest.update(repr(network).encode())
            other = self._made(cell, size, 1).state_dict()
            flags = {name: weight.requires_grad for name, weight in network.named_parameters()}
            for name, tensor in network.state_dict().items():
                described = (name, tuple(tensor.shape), str(tensor.dtype), flags.get(name))
                digest.update(repr(described).encode())
                if name in other and torch.equal(tensor, other[name]):
                    digest.update(tensor.contiguous().view(-1).view(torch.uint8).numpy().data)
            self._try(cell, network, size)
        return digest.hexdigest()

    def _made(self, cell: Cell, size: NetworkSize, seed: int) -> nn.Module:
        """Return the network of a cell on the processor, with the weights of a random seed."""
        # Loading sets the default device to meta, on which the user's code may not work.
        with self._named(cell, "building it"), torch.device("cpu"), _seeded(seed):
            network = self._builder(cell, size)
        if not isinstance(network, nn.Module):
            raise MeasureError(
                f"{self._name(cell)}: the builder must return a torch.nn.Module, got "
                f"{quoted(network)}"
            )
        for name, weight in network.named_parameters():
            if nn.parameter.is_lazy(weight):
                raise MeasureError(
                    f"{self._name(cell)}: its weight {name!r} is of a lazy layer and has no shape "
                    f"yet; a layer with all its sizes is needed"
                )
        return network

    def _try(self, cell: Cell, network: nn.Module, size: NetworkSize) -> None:
        """Run one step of training and one pass of evaluation."""
        if not any(weight.requires_grad for weight in network.parameters()):
            raise MeasureError(f"{self._name(cell)}: has no parameter that can be trained")
        for mode, count in ((True, _TRIED_IMAGES), (False, 1)):
            images = torch.zeros(count, size.image_channels, *size.image_size)
            network.train(mode)
            with self._named(cell, f"images {list(images.shape)}"), _seeded(0):
                logits = network(images.normal_())
            expected = [count, size.num_labels]
            found = list(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            if found != expected:
                raise MeasureError(
                    f"{self._name(cell)}: must map images {list(images.shape)} to outputs "
                    f"{expected}, one for each class of the task, it returned {found}"
                )
            if not logits.isfinite().all():
                raise MeasureError(
                    f"{self._name(cell)}: images {list(images.shape)}: its outputs are not finite "
                    f"numbers"
                )
            if mode:
                with self._named(cell, "its gradients"):
                    logits.sum().backward()

    @contextmanager
    def _named(self, cell: Cell, doing: str) -> Iterator[None]:
        """Convert exceptions of the user's code into an error that names space, cell and line."""
        try:
            yield
        except PygNasError as error:
            raise MeasureError(f"{self._name(cell)}: {error}") from error
        except (Exception, SystemExit) as error:
            raise MeasureError(
                f"{self._name(cell)}: {doing}: {type(error).__name__}: {one_line(error)}"
                f"{_place(error)}"
            ) from error

    def _name(self, cell: Cell) -> str:
        return f"space {self._space.name!r}, network of cell {to_text(cell)}"


def trial_cells(space: SearchSpace) -> list[Cell]:
    """Return few cells that have every operation: an empty one, chains, and parallel vertices."""
    length = min(space.max_vertices - 2, space.max_edges - 1)
    width = min(space.max_vertices - 2, space.max_edges // 2)
    names = space.operations
    drawings: list[tuple[list[tuple[int, int]], tuple[str, ...]]] = [([(0, 1)], ())]
    for start in range(0, len(names), length):
        chain = names[start : start + length]
        drawings.append(([(v, v + 1) for v in range(len(chain) + 1)], chain))
    if width > 1:
        beside = [names[i % len(names)] for i in range(width)]
        edges = [edge for v in range(1, width + 1) for edge in ((0, v), (v, width + 1))]
        drawings.append((edges, tuple(beside)))
    output, entry = space.terminals
    return [Cell.from_edges(edges, (entry, *inner, output), space) for edges, inner in drawings]


def _place(error: BaseException) -> str:
    """Return the innermost line of the user's code that an error passed, or an empty text."""
    frames = traceback.extract_tb(error.__traceback__)
    for frame in reversed(frames):
        file = Path(frame.filename)
        if "site-packages" not in file.parts and not file.is_relative_to(_PACKAGE):
            return f" ({file.name}:{frame.lineno})"
    return ""


@contextmanager
def _seeded(seed: int, device: torch.device = _PROCESSOR) -> Iterator[None]:
    """Seed torch's generators on the processor and a device; restore their states afterwards."""
    used = [device] if device.type == "cuda" else []
    with _drawing, torch.random.fork_rng(devices=used):
        torch.default_generator.manual_seed(seed)
        for gpu in used:
            with torch.cuda.device(gpu):
                torch.cuda.manual_seed(seed)
        yield


def _trained(network: nn.Module, size: NetworkSize) -> int:
    return sum(weight.numel() for weight in network.parameters() if weight.requires_grad)


def _multiplied(network: nn.Module, size: NetworkSize) -> int:
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        network.eval()(torch.zeros(1, size.image_channels, *size.image_size))
    return int(counter.get_total_flops()) // 2  # of a multiplication and an addition each
