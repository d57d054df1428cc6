"""Batches cut from collated tensors, without a Python object for each graph.

PyG's ``DataLoader`` separates every graph of a batch from the collated dataset and collates them
again. Here the graphs of many batches are gathered at once, attribute by attribute, and the
batches are views of the result.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data, InMemoryDataset
from torch_geometric.data.collate import collate
from torch_geometric.data.data import BaseData
from torch_geometric.data.separate import separate
from torch_geometric.data.storage import N_KEYS, BaseStorage, NodeStorage
from torch_geometric.utils import cumsum

from pyg_nas.errors import SettingsError

_BLOCK_GRAPHS = 4_096  # gathered at once; more than that leaves the processor's cache


class CollatedLoader:
    """Iterate over the batches of a collated dataset, as a ``DataLoader`` does, but faster.

    Every batch equals ``Batch.from_data_list`` of the same graphs, whatever their attributes, and
    can be taken apart again. Datasets with a ``transform``, or with attributes other than plain
    tensors, numbers and strings, are batched by that function itself, at its speed.

    Args:
        dataset: An ``InMemoryDataset``, whole or a selected part of one, or the ``(data, slices)``
            that its ``collate`` returns. It must not change while the loader is in use.
        batch_size: Graphs to a batch.
        shuffle: Draw a new order at the start of every iteration.
        drop_last: Leave out a last batch that is not full.
        generator: Source of the orders, or a seed for one; PyTorch's global one by default.

    Raises:
        SettingsError: If ``batch_size`` is below 1.

    Example:
        >>> loader = CollatedLoader(dataset, batch_size=256, shuffle=True, generator=0)
        >>> for batch in loader:
        ...     output = model(batch.x, batch.edge_index, batch.batch, batch.num_graphs)
    """

    def __init__(
        self,
        dataset: InMemoryDataset | tuple[BaseData, dict[str, Any]],
        batch_size: int = 1,
        shuffle: bool = False,
        drop_last: bool = False,
        generator: torch.Generator | int | None = None,
    ) -> None:
        if batch_size < 1:
            raise SettingsError(f"batch_size must be at least 1, got {batch_size}")
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.drop_last = drop_last
        if isinstance(generator, int):
            generator = torch.Generator().manual_seed(generator)
        self.generator = generator
        if isinstance(dataset, tuple):
            (data, slices), transform = dataset, None
            self._rows = torch.arange(_num_graphs(slices))
        else:
            data, slices, transform = dataset._data, dataset.slices, dataset.transform
            self._rows = torch.as_tensor(dataset.indices(), dtype=torch.long)
        if slices is None:  # how PyG keeps a dataset of a single graph
            data, slices, _ = collate(type(data), [data], increment=False, add_batch=False)
        self._transform = transform
        self._data, self._slices = data, slices
        self._stores = None if transform is not None else _plan(data, slices)

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
        """The batches of ``rows``, all of one ``size``."""
        if self._stores is None:
            for part in torch.split(rows, size):
                yield Batch.from_data_list([self._graph(row) for row in part.tolist()])
            return
        table = rows.view(-1, size)
        gathered = [store.gather(table) for store in self._stores]
        template = Batch(_base_cls=type(self._data)).stores_as(self._data)
        for number in range(len(table)):
            batch = copy.copy(template)
            slice_dict: dict[str, Any] = {}
            inc_dict: dict[str, Any] = {}
            for store, planned, columns in zip(batch.stores, self._stores, gathered, strict=True):
                slice_part, inc_part = slice_dict, inc_dict
                if planned.key is not None:
                    slice_part = slice_dict.setdefault(planned.key, {})
                    inc_part = inc_dict.setdefault(planned.key, {})
                for name, (values, slices, incs) in columns.items():
                    store[name] = values[number]
                    if slices is not None:
                        slice_part[name] = slices[number]
                        inc_part[name] = None if incs is None else incs[number]
                    elif incs is not None:  # num_nodes, which is kept as a list beside its sum
                        store._num_nodes = incs[number]
            batch._num_graphs = size
            batch._slice_dict = slice_dict
            batch._inc_dict = inc_dict
            yield batch

    def _graph(self, row: int) -> Any:
        graph = _separate(self._data, self._slices, row)
        return graph if self._transform is None else self._transform(graph)


# Of each batch: the values, their slices and their increments, as PyG's collate returns them.
_Gathered = tuple[Sequence[Any], Sequence[Tensor] | None, Sequence[Any] | None]


@dataclass(frozen=True)
class _TensorColumn:
    """A tensor attribute of all graphs: ``dim`` runs over graph ``g``'s ``sizes[g]`` entries.

    ``increments`` is what each graph adds to the values of the graphs after it in a batch,
    ``[N]`` or ``[N, ...]`` broadcastable to a graph's values; None where that is always zero.
    """

    values: Tensor
    starts: Tensor
    sizes: Tensor
    dim: int
    increments: Tensor | None

    def gather(self, table: Tensor) -> _Gathered:
        sizes = self.sizes[table]
        slices = _cumulated(sizes)
        positions = _ranges(self.starts[table].view(-1), sizes.view(-1))
        values = self.values.index_select(self.dim, positions.to(self.values.device))
        incs = torch.zeros_like(table)
        if self.increments is not None:
            added = self.increments[table]
            incs = added.cumsum(1) - added
            values = self._shifted(values, incs.flatten(0, 1), sizes.view(-1))
        parts: Sequence[Tensor] = torch.split(values, slices[:, -1].tolist(), self.dim)
        if self.dim != 0:
            parts = [part.contiguous() for part in parts]
        return parts, slices.unbind(0), incs.unbind(0)

    def _shifted(self, values: Tensor, incs: Tensor, sizes: Tensor) -> Tensor:
        # PyG adds scalars as zero-dimensional tensors, which do not widen an int32.
        result = torch.result_type(values, incs[0])
        by_entry = incs.to(values.device, result).repeat_interleave(sizes.to(values.device), 0)
        if by_entry.dim() > 1:
            # [entries, ...] aligned to the right with a graph's values, of size 1 along dim.
            missing = values.dim() - (by_entry.dim() - 1)
            by_entry = by_entry.view(len(by_entry), *[1] * missing, *by_entry.shape[1:])
            by_entry = by_entry.squeeze(self.dim + 1).movedim(0, self.dim)
        else:
            by_entry = by_entry.view(-1, *[1] * (values.dim() - 1 - self.dim))
        return values + by_entry


@dataclass(frozen=True)
class _ListColumn:
    """An attribute that PyG leaves as a list of one value a graph."""

    values: Sequence[Any]

    def gather(self, table: Tensor) -> _Gathered:
        slices = torch.arange(table.shape[1] + 1)
        lists = [[self.values[row] for row in part] for part in table.tolist()]
        return lists, [slices] * len(table), [None] * len(table)


@dataclass(frozen=True)
class _Store:
    """One store of the data: its attributes, and the vertices of each graph, if it has any."""

    key: Any
    columns: dict[str, _TensorColumn | _ListColumn]
    num_nodes: Tensor | None
    says_num_nodes: bool
    device: torch.device

    def gather(self, table: Tensor) -> dict[str, _Gathered]:
        gathered = {name: column.gather(table) for name, column in self.columns.items()}
        if self.num_nodes is None:
            return gathered
        counts = self.num_nodes[table]
        ptr = _cumulated(counts)
        totals = ptr[:, -1].tolist()
        if self.says_num_nodes:
            gathered["num_nodes"] = totals, None, counts.tolist()
        graph = torch.arange(table.shape[1]).repeat(len(table))
        batch = graph.repeat_interleave(counts.view(-1)).to(self.device)
        gathered["batch"] = torch.split(batch, totals), None, None
        gathered["ptr"] = ptr.to(self.device).unbind(0), None, None
        return gathered


def _plan(data: BaseData, slices: dict[Any, Any]) -> list[_Store] | None:
    """How to gather each store, or None where an attribute needs PyG's own collation."""
    planned = []
    for number, store in enumerate(data.stores):
        of_store = slices if store._key is None else slices.get(store._key, {})
        names = [name for name in of_store if name in store]
        if not all(_is_plain(store[name], of_store[name]) for name in names):
            return None
        tensors = {
            name: (of_store[name].long(), data.__cat_dim__(name, store[name], store) or 0)
            for name in names
            if isinstance(store[name], Tensor)
        }
        nodes = _nodes_of_each(data, slices, number, tensors)
        columns: dict[str, _TensorColumn | _ListColumn] = {}
        for name in names:
            if name not in tensors:
                columns[name] = _ListColumn(store[name])
                continue
            ends, dim = tensors[name]
            columns[name] = _TensorColumn(
                values=store[name],
                starts=ends[:-1],
                sizes=ends.diff(),
                dim=dim % store[name].dim(),
                increments=_increments(data, slices, number, name, nodes),
            )
        devices = {store[name].device for name in tensors if store[name].is_cuda}
        planned.append(
            _Store(
                store._key,
                columns,
                nodes,
                hasattr(store, "_num_nodes"),
                devices.pop() if devices else torch.device("cpu"),
            )
        )
    return planned


def _is_plain(value: Any, slices: Any) -> bool:
    if not isinstance(slices, Tensor) or slices.dim() != 1:
        return False
    if isinstance(value, Tensor):
        return type(value) is Tensor and value.layout == torch.strided and not value.is_nested
    return isinstance(value, list) and all(
        isinstance(item, (str, bytes, type(None))) for item in value
    )


def _nodes_of_each(
    data: BaseData, slices: dict[Any, Any], number: int, tensors: dict[str, tuple[Tensor, int]]
) -> Tensor | None:
    """Vertices of each graph in a store, ``[N]``, by the rules of PyG's ``num_nodes``."""
    store = data.stores[number]
    if not isinstance(store, NodeStorage) or not store.can_infer_num_nodes:
        return None
    if hasattr(store, "_num_nodes"):
        return torch.tensor(store._num_nodes)
    telling = [name for name in tensors if name in N_KEYS]
    telling += [name for name in tensors if "node" in name]
    if telling:
        return tensors[telling[0]][0].diff()
    return torch.tensor(_of_each(data, slices, number, lambda graph, part: part.num_nodes or 0))


def _increments(
    data: BaseData, slices: dict[Any, Any], number: int, name: str, nodes: Tensor | None
) -> Tensor | None:
    """What each graph adds to attribute ``name`` of later ones, ``[N, ...]``; None for zeros."""
    if type(data).__inc__ is Data.__inc__ and "batch" not in name:
        return nodes if "index" in name or name == "face" else None
    added = _of_each(
        data, slices, number, lambda graph, part: graph.__inc__(name, part[name], part)
    )
    stacked = torch.stack(added) if isinstance(added[0], Tensor) else torch.tensor(added)
    # A tensor is added even where it is zero, and may widen the type.
    return stacked if stacked.dim() > 1 or stacked.any() else None


def _of_each(
    data: BaseData,
    slices: dict[Any, Any],
    number: int,
    question: Callable[[BaseData, BaseStorage], Any],
) -> list[Any]:
    """Ask every graph in turn: the general way, once, where no rule is known beforehand."""
    answers = []
    for row in range(_num_graphs(slices)):
        graph = _separate(data, slices, row)
        answers.append(question(graph, graph.stores[number]))
    return answers


def _separate(data: BaseData, slices: dict[Any, Any], row: int) -> Any:
    return separate(type(data), data, row, slices, decrement=False)


def _num_graphs(slices: dict[Any, Any]) -> int:
    part: Any = slices
    while not isinstance(part, Tensor):
        part = next(iter(part.values() if isinstance(part, dict) else part))
    return len(part) - 1


def _cumulated(sizes: Tensor) -> Tensor:
    """``[batches, size]`` to ``[batches, size + 1]`` from zero."""
    cumulated: Tensor = cumsum(sizes, dim=1)
    return cumulated


def _ranges(starts: Tensor, sizes: Tensor) -> Tensor:
    """The numbers ``starts[i] ... starts[i] + sizes[i] - 1`` of all ``i``, end to end."""
    before = sizes.cumsum(0) - sizes
    shift = (starts - before).repeat_interleave(sizes)
    return shift.add_(torch.arange(len(shift)))
