"""Whole networks as a PyG dataset."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch_geometric.data import Data

from pyg_nas.data.datasets.processed import ProcessedDataset, transforms_text
from pyg_nas.data.networks.reading import OnNetwork, read_networks
from pyg_nas.data.networks.sources import (
    Builder,
    Networks,
    NetworkSource,
    built_networks,
    network_sources,
)
from pyg_nas.errors import NetworkError, TableError, first_true
from pyg_nas.io.regular_files import file_digest
from pyg_nas.spaces.modules.network_array import NetworkArray

Labels: TypeAlias = "ArrayLike | Mapping[str, float]"

_FORMAT = 5  # part of every processed file's name
_ARRAYS = tuple(field.name for field in fields(NetworkArray))


class NetworkDataset(ProcessedDataset):
    r"""Whole networks as PyG graphs: a vertex an operation, an edge wherever data flow.

    Graphs may be of any size. Each has

    - ``x``: float32 :math:`(V, C)`, the one-hot operation
      (:mod:`pyg_nas.spaces.modules.vocabulary`) and
      :data:`~pyg_nas.spaces.modules.network_graph.ATTRIBUTES`;
    - ``edge_index``: int64 :math:`(2, E)`, sorted by target and source;
    - ``parameters`` and ``macs``: int64 :math:`(1)`, exact;
    - ``y``: float32 :math:`(1)`, the label, NaN where it is not measured; absent without labels;
    - ``row``: int64 :math:`(1)`, the network's row in the source.

    The processed file's name contains a digest of the graphs, the labels, ``pre_transform`` and
    ``pre_filter``, so that a change of them never reads a stale file. Files of a folder are
    compared by their bytes and read when they have changed. Modules are traced whenever the dataset
    is made, because a change is visible only in their graphs, unless there is a ``source_key``. The
    file is loaded without unpickling and mapped into memory: only used parts of a large dataset are
    read. :class:`~pyg_nas.data.datasets.loader.CollatedLoader` makes batches of it without a Python
    object for each graph.

    Args:
        root (str): Folder of the dataset; processed files lie in ``processed``.
        networks (str or iterable): A folder of ONNX files, whose names are their paths within it;
            or an iterable of :class:`~pyg_nas.spaces.modules.network_graph.NetworkGraph` and pairs
            of a module and its example inputs (a tensor, a tuple of positional inputs or a mapping
            of named ones), whose names are ``network 0``, ``network 1`` and so on. See
            :meth:`from_builder` for networks that a function builds.
        labels (array_like or mapping, optional): One number per network, in the order of
            ``networks``, or numbers by :attr:`names`; NaN or absent where it is not measured.
            (default: :obj:`None`)
        force_reload (bool, optional): Read the networks again. (default: :obj:`False`)
        source_key (str, optional): Represents the networks in the processed file's name; change it
            whenever they change. Networks are then not read if that file exists.
            (default: :obj:`None`)
        progress (callable, optional): Called after each network that is read with the number of
            networks that are done, and of all. (default: :obj:`None`)
        workers (int, optional): Processes that read the networks; -1 for one on each core. A
            builder and its configurations are sent to them, or modules with their weights.
            (default: :obj:`1`)

    All other arguments are those of :class:`~pyg_nas.data.datasets.dataset.CellDataset`.

    Raises:
        NetworkError: If a network cannot be read; the message names all of these.
        TableError: If the labels do not fit the networks, or ``pre_transform`` or ``pre_filter``
            returns what a processed file cannot restore.

    Example:
        >>> from torch import nn
        >>> networks = [(nn.Linear(4, n), torch.zeros(1, 4)) for n in (2, 3)]
        >>> dataset = NetworkDataset(getfixture("tmp_path"), networks, labels=[0.1, 0.2])
        >>> dataset[1].parameters, dataset.y
        (tensor([15]), tensor([0.1000, 0.2000]))
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        networks: Networks,
        labels: Labels | None = None,
        transform: Callable[[Data], Any] | None = None,
        pre_transform: Callable[[Data], Data] | None = None,
        pre_filter: Callable[[Data], bool] | None = None,
        force_reload: bool = False,
        transform_key: str | None = None,
        source_key: str | None = None,
        progress: OnNetwork | None = None,
        workers: int = 1,
    ) -> None:
        self._sources: list[NetworkSource] | None = network_sources(networks)
        self._progress = progress
        self._workers = workers
        self._read: NetworkArray | None = None
        self._labels = _checked_labels(labels, [source.name for source in self._sources])
        if source_key is not None:
            source = f"key {source_key!r}"
        elif isinstance(networks, (str, os.PathLike)):
            source = _files_digest(Path(networks), self._sources)
        else:
            source = self._networks_read().digest
        transforms = transforms_text(pre_transform, pre_filter, transform_key)
        names = [source.name for source in self._sources]
        labelled = None if self._labels is None else self._labels.tobytes().hex()
        described = repr((_FORMAT, source, names, labelled, transforms))
        self._digest = hashlib.sha256(described.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        super().__init__(root, transform, pre_transform, pre_filter, force_reload)
        # The processed file has them all now; modules would keep their weights in memory.
        self._sources = self._read = self._labels = None

    @classmethod
    def from_builder(
        cls,
        root: str | os.PathLike[str],
        builder: Builder,
        configurations: Iterable[Mapping[str, Any]],
        labels: Labels | None = None,
        **settings: Any,
    ) -> NetworkDataset:
        """Return the dataset of the networks that a function builds.

        Args:
            root: Folder of the dataset.
            builder: Called with the keyword arguments of one configuration, it returns a module
                and its example inputs. Modules on torch's ``meta`` device take no memory.
            configurations: The keyword arguments of each network.
            labels: One number a configuration; NaN where it is not measured.
            **settings: Further arguments of the dataset.

        Raises:
            NetworkError: If a network cannot be built; the message has its configuration.
        """
        return cls(root, built_networks(builder, configurations), labels, **settings)

    @property
    def processed_file_names(self) -> list[str]:
        """One file, named by the digest of all that it depends on."""
        return [f"networks-{self._digest}.pt"]

    @property
    def networks(self) -> NetworkArray:
        """The graphs of the dataset, or of the part of it that was selected, as arrays."""
        return self._own(self._processed_networks)

    @property
    def hashes(self) -> NDArray[np.bytes_]:
        """Hash of each graph, ``S64 [N]``; equal graphs belong on the same side of a split."""
        return self._processed_networks.hashes[self._rows]

    @property
    def names(self) -> list[str]:
        """Name of each network: the path of its file, or its number and configuration."""
        return [self._processed_names[row] for row in self._rows]

    @property
    def labels(self) -> NDArray[np.float64] | None:
        """Label of each network ``[N]``, NaN where it is not measured; None without labels.

        Raises:
            TableError: If ``pre_transform`` made other than one number per network.
        """
        if "y" not in self._data:
            return None
        labels = self._data["y"].numpy(force=True)
        if labels.shape != self._data["row"].shape:
            raise TableError(
                f"the labels of a dataset must be one number per network, its y has the shape "
                f"{list(labels.shape)} for {len(self._data['row'])} networks"
            )
        return np.asarray(labels[np.array(self.indices(), dtype=int)], dtype=np.float64)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[np.object_]:
        """Return the networks as objects ``[N, 1]``, as :class:`.NetworkArray` does."""
        return self.networks.__array__(dtype)

    def _networks_read(self) -> NetworkArray:
        if self._read is None:
            assert self._sources is not None
            self._read = read_networks(self._sources, self._progress, self._workers)
        return self._read

    def _collated_source(self) -> tuple[Data, dict[str, torch.Tensor]]:
        networks = self._networks_read()
        data = Data(
            x=torch.from_numpy(networks.one_hot()),
            edge_index=torch.from_numpy(networks.edges),
            parameters=torch.from_numpy(networks.parameters),
            macs=torch.from_numpy(networks.macs),
            row=torch.arange(len(networks)),
        )
        one_each = torch.arange(len(networks) + 1)
        slices = {
            "x": torch.from_numpy(networks.vertex_ptr),
            "edge_index": torch.from_numpy(networks.edge_ptr),
            **dict.fromkeys(("parameters", "macs", "row"), one_each),
        }
        if self._labels is not None:
            data.y = torch.from_numpy(self._labels.astype(np.float32))
            slices["y"] = one_each
        return data, slices

    def _row_attributes(self, rows: NDArray[np.int64]) -> dict[str, Any]:
        assert self._sources is not None
        networks = self._networks_read()
        if len(rows) < len(networks):
            networks = networks.select(rows)
        stored = {name: getattr(networks, name) for name in _ARRAYS}
        stored["hashes"] = stored["hashes"].view(np.uint8).reshape(len(networks), -1)
        names = [self._sources[row].name for row in rows]
        tensors = {f"networks.{name}": torch.from_numpy(array) for name, array in stored.items()}
        return {**tensors, "names": names}

    def _restore(self, content: dict[str, Any]) -> None:
        stored = {name: content[f"networks.{name}"].numpy() for name in _ARRAYS}
        stored["hashes"] = stored["hashes"].reshape(-1).view("S64")
        self._processed_networks = NetworkArray(**stored)
        self._processed_names: list[str] = content["names"]


def _files_digest(folder: Path, sources: Sequence[NetworkSource]) -> str:
    """Digest of the bytes of all files, 64 hex digits."""
    digest = hashlib.sha256()
    for source in sources:
        digest.update(file_digest(folder / source.name, NetworkError))
    return digest.hexdigest()


def _checked_labels(labels: Labels | None, names: list[str]) -> NDArray[np.float64] | None:
    """Return labels float64 ``[N]`` in the order of ``names``."""
    if labels is None:
        return None
    if isinstance(labels, Mapping):
        unknown = sorted(set(labels) - set(names))
        if unknown:
            raise TableError(
                f"labels: no network has the name {unknown[0]!r} ({len(unknown)} of "
                f"{len(labels)} names are unknown)"
            )
        labels = [labels.get(name, np.nan) for name in names]
    try:
        checked = np.asarray(labels, dtype=np.float64)
    except (TypeError, ValueError):
        raise TableError("labels must be numbers") from None
    if checked.shape != (len(names),):
        raise TableError(
            f"labels must be one number per network, [{len(names)}], got {list(checked.shape)}"
        )
    if (row := first_true(np.isinf(checked))) is not None:
        raise TableError(f"labels must be numbers or NaN, got {checked[row]} for {names[row]}")
    return checked
