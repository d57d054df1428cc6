"""Batches cut out of collated tensors, without a Python object for each graph.

PyG's ``DataLoader`` separates every graph of a batch from the collated dataset and collates them
again. Here the graphs of many batches are gathered together, attribute by attribute, and the
batches are views of the result.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Batch, Data, InMemoryDataset
from torch_geometric.data.separate import separate
from torch_geometric.utils import cumsum

from pyg_nas.compute.generators import seeded_generator
from pyg_nas.errors import SettingsError, check_count

_BLOCK_GRAPHS = 4_096  # gathered together; more would not fit into the processor's cache


class CollatedLoader:
    """Iterate over the batches of a collated dataset, like a ``DataLoader`` but faster.

    Every batch equals ``Batch.from_data_list`` of the same graphs and can be separated again. The
    fast path needs graphs of the class ``Data`` whose attributes, ``x`` among them, are plain
    tensors. All others, and datasets with a ``transform``, are batched by PyG at its speed.

    Args:
        dataset: An ``InMemoryDataset`` or a selected part of one, or the ``(data, slices)`` that
            its ``collate`` returns. It must not change while the loader is in use.
        batch_size: Graphs in a batch.
        shuffle: Draw a new order at the start of every iteration.
        drop_last: Leave out an incomplete last batch.
        generator: Random generator of the orders, or a random seed; PyTorch's global generator by
            default.

    Raises:
        SettingsError: If ``batch_size`` is below 1, or the dataset of another type.

    Example:
        >>> loader = CollatedLoader(dataset, batch_size=256, shuffle=True, generator=0)
        >>> for batch in loader:
        ...     output = model(batch.x, batch.edge_index, batch.batch, batch.num_graphs)
    """

    def __init__(
        self,
        dataset: InMemoryDataset | tuple[Data, dict[str, Any]],
        batch_size: int = 1,
        shuffle: bool = False,
        drop_last: bool = False,
        generator: torch.Generator | int | None = None,
    ) -> None:
        check_count("batch_size", batch_size)
        if not isinstance(dataset, (InMemoryDataset, tuple)):
            raise SettingsError(
                f"dataset must be an InMemoryDataset, a part of one such as dataset[rows], or its "
                f"(data, slices), got {type(dataset).__name__}"
            )
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.drop_last = drop_last
        if isinstance(generator, (int, np.integer)):
            generator = seeded_generator(generator)
        self.generator = generator
        if isinstance(dataset, tuple):
            data, slices = dataset
            self._rows = torch.arange(_num_graphs(slices))
            plain = True
        else:
            data, slices = dataset._data, dataset.slices
            self._rows = torch.as_tensor(dataset.indices(), dtype=torch.long)
            # PyG stores a dataset of a single graph without slices.
            plain = dataset.transform is None and slices is not None
        self._columns = _plan(data, slices) if plain else None
        self._sizes = slices["x"].long().diff() if self._columns else None

    def __len__(self) -> int:
        """Return the number of batches."""
        full, rest = divmod(len(self._rows), self.batch_size)
        return full + (1 if rest and not self.drop_last else 0)

    def __iter__(self) -> Iterator[Batch]:
        total = len(self._rows)
        order = self._rows
        if self.shuffle:
            order = order[torch.randperm(total, generator=self.generator)]
        full = total // self.batch_size * self.batch_size
        step = max(1, _BLOCK_GRAPHS // self.batch_size) * self.batch_size
        for start in range(0, full, step):
            yield from self._batches(order[start : min(start + step, full)], self.batch_size)
        if full < total and not self.drop_last:
            yield from self._batches(order[full:], total - full)

    def take(self, positions: Tensor) -> Batch:
        """Return one batch of the graphs at ``positions`` int64 ``[B]``, in that order."""
        return next(self._batches(self._rows[positions], len(positions)))

    def _batches(self, rows: Tensor, size: int) -> Iterator[Batch]:
        """Yield the batches of ``rows`` int64 ``[batches * size]``, all of one ``size``."""
        if self._columns is None or self._sizes is None:
            for part in torch.split(rows, size):
                yield Batch.from_data_list([self._graph(row) for row in part.tolist()])
            return
        table = rows.view(-1, size)
        gathered = {name: column.gather(table) for name, column in self._columns.items()}
        counts = self._sizes[table]
        ptr = _cumulated(counts)
        device = self._columns["x"].values.device
        graph = torch.arange(size).repeat(len(table)).repeat_interleave(counts.view(-1))
        batches = torch.split(graph.to(device), ptr[:, -1].tolist())
        ptrs = ptr.to(device)
        template = Batch(_base_cls=Data)
        for number in range(len(table)):
            batch = copy.copy(template)
            for name, (values, _, _) in gathered.items():
                batch[name] = values[number]
            batch.batch, batch.ptr = batches[number], ptrs[number]
            # Used by Batch.get_example to separate a batch.
            batch._num_graphs = size
            batch._slice_dict = {name: part[1][number] for name, part in gathered.items()}
            batch._inc_dict = {name: part[2][number] for name, part in gathered.items()}
            yield batch

    def _graph(self, row: int) -> Any:
        if isinstance(self.dataset, tuple):
            data, slices = self.dataset
            return separate(type(data), data, row, slices, decrement=False)
        graph = self.dataset.get(row)
        return graph if self.dataset.transform is None else self.dataset.transform(graph)


@dataclass(frozen=True)
class _Column:
    """A tensor attribute of all graphs: ``dim`` runs over graph ``g``'s ``sizes[g]`` entries.

    ``increments`` ``[N]`` are added by each graph to the values of the graphs after it in a batch;
    None if they are always zero.
    """

    values: Tensor
    starts: Tensor
    sizes: Tensor
    dim: int
    increments: Tensor | None

    def gather(
        self, table: Tensor
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Return values, slices and increments of each batch.

        Args:
            table: int64 ``[batches, size]``, the graphs of each batch.
        """
        sizes = self.sizes[table]
        slices = _cumulated(sizes)
        positions = _ranges(self.starts[table].view(-1), sizes.view(-1))
        values = self.values.index_select(self.dim, positions.to(self.values.device))
        incs = torch.zeros_like(table)
        if self.increments is not None:
            added = self.increments[table]
            incs = added.cumsum(1) - added
            by_entry = incs.view(-1).repeat_interleave(sizes.view(-1)).to(values)
            values = values + by_entry.view(-1, *[1] * (values.dim() - 1 - self.dim))
        parts = torch.split(values, slices[:, -1].tolist(), self.dim)
        if self.dim != 0:
            parts = tuple(part.contiguous() for part in parts)
        return parts, slices.unbind(0), incs.unbind(0)


def _plan(data: Any, slices: dict[str, Any]) -> dict[str, _Column] | None:
    """Return how to gather each attribute, or None if PyG has to collate the graphs."""
    if type(data) is not Data or "x" not in slices or not set(data.keys()) <= set(slices):
        return None
    columns = {}
    for name, value in data.items():
        plain = type(value) is Tensor and value.layout == torch.strided and not value.is_nested
        # PyG has special increments for attributes with these names.
        if not plain or "batch" in name or name == "ptr":
            return None
        ends = slices[name].long()
        counts_on = "index" in name or name == "face"
        columns[name] = _Column(
            values=value,
            starts=ends[:-1],
            sizes=ends.diff(),
            dim=data.__cat_dim__(name, value) % value.dim(),
            increments=slices["x"].long().diff() if counts_on else None,
        )
    return columns


def _num_graphs(slices: Any) -> int:
    while not isinstance(slices, Tensor):
        slices = next(iter(slices.values() if isinstance(slices, dict) else slices))
    return len(slices) - 1


def _cumulated(sizes: Tensor) -> Tensor:
    """Return the sums of the first 0 to ``size`` entries, ``[batches, size + 1]``."""
    cumulated: Tensor = cumsum(sizes, dim=1)
    return cumulated


def _ranges(starts: Tensor, sizes: Tensor) -> Tensor:
    """Return ``starts[i] ... starts[i] + sizes[i] - 1`` for all ``i``, concatenated."""
    before = sizes.cumsum(0) - sizes
    shift = (starts - before).repeat_interleave(sizes)
    return shift.add_(torch.arange(len(shift)))
