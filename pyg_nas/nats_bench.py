"""Replacement of ``nats_bench`` and ``nas_201_api`` on a table of NAS-Bench-201 architectures.

``from pyg_nas.nats_bench import create`` runs scripts written for the official packages::

    api = create("nasbench201.hdf5", "tss", fast_mode=True, verbose=False)
    text = "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
    index = api.query_index_by_arch(text)
    api.get_more_info(index, "cifar10-valid", hp="200", is_random=False)["valid-accuracy"]

Indices are the official ones, and accuracies are in percent. A table without a task is one of
CIFAR-10: its validation accuracies are those of ``cifar10-valid``, its test accuracies those of
``cifar10``. Requests for data that a table does not contain (losses, other epochs than the last)
are errors. Draws among runs come from Python's :mod:`random`, as in the official packages.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.data.tables.table import Table
from pyg_nas.errors import CellError, SettingsError, TableError, quoted
from pyg_nas.nasbench.statistics import NotMeasuredError
from pyg_nas.spaces.measurements import END, METRICS
from pyg_nas.spaces.nasbench201.architectures import EDGE_CELLS, official_codes, official_texts
from pyg_nas.spaces.nasbench201.network_size import OFFICIAL_SIZE
from pyg_nas.spaces.nasbench201.space import NASBENCH201
from pyg_nas.spaces.nasbench201.support import SUPPORT
from pyg_nas.spaces.nasbench201.text_form import parse_text

Source = str | os.PathLike[str] | Table

_SPACE_NAMES = ("tss", "topology")
_CIFAR10 = ("cifar10-valid", "cifar10")
# What a table of CIFAR-10 has for the other one of its two data sets.
_OF_OTHER = {"cifar10-valid": "test_accuracy", "cifar10": "validation_accuracy"}
_LABELS = {"cifar10-valid": 10, "cifar10": 10, "cifar100": 100, "ImageNet16-120": 120}
_ACCURACY_ON = {
    "train": "train_accuracy",
    "x-valid": "validation_accuracy",
    "x-test": "test_accuracy",
    "ori-test": "test_accuracy",
}
_IMAGE_SIDES = {"ImageNet16-120": 16}
_INFO_KEYS = {
    "train_accuracy": "train-accuracy",
    "validation_accuracy": "valid-accuracy",
    "test_accuracy": "test-accuracy",
}
_FINAL = "a table has no readings within a run: get_more_info returns the final ones"
_WEIGHTS = "a table has no weights of trained networks"
_UNSUPPORTED = {
    "get_latency": "get_cost_info returns the table's target 'latency'",
    "get_net_param": _WEIGHTS,
    "query_by_index": _FINAL,
    "query_meta_info_by_index": _FINAL,
    "reload": _WEIGHTS,
    "show": "query_by_arch returns the data of an architecture as text",
    "statistics": "evaluated_indexes has the architectures of the tables",
}
"""Methods of the official classes that a table cannot answer, and why or what does instead."""


class Info(dict[str, Any]):
    """Results by their official names; a result that the table does not have is an error."""

    def __missing__(self, key: str) -> Any:
        raise NotMeasuredError(f"the table has no {key!r}, only {', '.join(self) or 'nothing'}")


def create(
    file_path_or_dict: Source | Mapping[str, Source],
    search_space: str,
    fast_mode: bool = False,
    verbose: bool = True,
) -> NATStopology:
    """Return the benchmark of a table.

    Args:
        file_path_or_dict: A table in HDF5 (``pyg-nas table import``) or a loaded one, or several
            tables by the name of their data set.
        search_space: ``"tss"`` or ``"topology"``.
        fast_mode: Accepted without effect: a table is read completely.
        verbose: Print a summary of the tables.

    Raises:
        SettingsError: If it is the size search space, for which there are no tables, or no file is
            given: there is no default one.
        TableError: If a table cannot be read, or contains cells of another space.
    """
    if search_space not in _SPACE_NAMES:
        raise SettingsError(
            f"search space {search_space!r} must be one of {', '.join(_SPACE_NAMES)}: tables have "
            f"architectures of NAS-Bench-201"
        )
    return NATStopology(file_path_or_dict, fast_mode, verbose)


class NATStopology:
    """NAS-Bench-201 with the methods of the official class of this name.

    The arguments are those of :func:`create`.
    """

    search_space_name = "topology"

    def __init__(
        self,
        file_path_or_dict: Source | Mapping[str, Source],
        fast_mode: bool = False,
        verbose: bool = True,
    ) -> None:
        self.meta_archs = list(official_texts())
        self._index = {text: index for index, text in enumerate(self.meta_archs)}
        self._tables: dict[str, Table] = {}
        if isinstance(file_path_or_dict, Mapping):
            for name, source in file_path_or_dict.items():
                self._tables[_dataset(name)] = _open(source)
        else:
            table = _open(file_path_or_dict)
            task = table.about.get("task")
            names = _CIFAR10 if task in (None, "cifar10") else (_dataset(str(task)),)
            self._tables = dict.fromkeys(names, table)
        self._rows = {
            name: {self._index[text]: row for row, text in enumerate(table.architecture_texts())}
            for name, table in self._tables.items()
        }
        self.reset_time()
        if verbose:
            evaluated, datasets = len(self.evaluated_indexes), ", ".join(self.datasets)
            print(f"NAS-Bench-201: {evaluated}/{len(self)} architectures, {datasets}")

    def __getattr__(self, name: str) -> Any:
        what = f"{type(self).__name__!r} object has no attribute {name!r}"
        reason = _UNSUPPORTED.get(name)
        raise AttributeError(what if reason is None else f"{what}: {reason}")

    @property
    def datasets(self) -> tuple[str, ...]:
        """Names of the data sets of the tables."""
        return tuple(self._tables)

    @cached_property
    def evaluated_indexes(self) -> list[int]:
        """Indices of the architectures in any of the tables."""
        return sorted(set().union(*self._rows.values()))

    def __len__(self) -> int:
        return len(self.meta_archs)

    def __getitem__(self, index: int) -> str:
        return self.arch(index)

    def __iter__(self) -> Iterator[str]:
        return iter(self.meta_archs)

    def arch(self, index: int) -> str:
        """Return the text form of an architecture.

        Raises:
            SettingsError: If the index is out of range.
        """
        if not 0 <= index < len(self):
            raise SettingsError(f"index {index} must be 0 to {len(self) - 1}")
        return self.meta_archs[index]

    def random(self) -> int:
        """Return a random index."""
        return random.randint(0, len(self) - 1)

    def query_index_by_arch(self, arch: Any) -> int:
        """Return the index of a text form, of an object with ``tostr()``, or of an index.

        Returns:
            -1 if the architecture does not exist, as the official method.
        """
        if isinstance(arch, (int, np.integer)):
            return int(arch) if 0 <= arch < len(self) else -1
        text = arch.tostr() if hasattr(arch, "tostr") else str(arch)
        try:
            return self._index.get(SUPPORT.canonical_text(text), -1)
        except CellError:
            return -1

    def query_by_arch(self, arch: Any, hp: str = "12") -> str:
        """Return the tables' data of an architecture as text.

        Raises:
            NotMeasuredError: If no table has the architecture.
        """
        index = self._known_index(arch)
        lines = [self.arch(index)]
        for name in self.datasets:
            if index in self._rows[name]:
                info = self.get_more_info(index, name, hp=hp, is_random=False)
                cost = self.get_cost_info(index, name)
                numbers = ", ".join(f"{key} {value:.2f}" for key, value in info.items())
                size = f"FLOP={cost['flops']:.2f} M, Params={cost['params']:.3f} MB"
                lines.append(f"{name}: {size}, {numbers}")
        return "\n".join(lines)

    query_info_str_by_arch = query_by_arch

    def get_more_info(
        self,
        index: Any,
        dataset: str,
        iepoch: int | None = None,
        hp: str | int = "12",
        is_random: bool | int = True,
    ) -> Info:
        """Return accuracies in percent and training times in seconds.

        Args:
            index: Index of the architecture, or its text form.
            dataset: Name of the data set.
            iepoch: None, or the last epoch: tables have final readings only.
            hp: Epochs of training, 12 or 200.
            is_random: True for a run drawn at random, False for the mean of all, or the seed of a
                run, such as 777; in a table without seeds its number from 0 on.

        Raises:
            NotMeasuredError: If the table lacks the architecture, epochs or run.
        """
        runs = self._runs(index, dataset, iepoch, hp)  # [S, METRICS]
        measured = np.flatnonzero(~np.isnan(runs).all(axis=1)).tolist()
        if not measured:
            raise NotMeasuredError(f"{self._named(index)}: no run of {hp} epochs is measured")
        if isinstance(is_random, (bool, np.bool_)):
            drawn = runs[[random.choice(measured)]] if is_random else runs
            chosen = np.ma.masked_invalid(drawn).mean(axis=0).filled(np.nan)
        else:
            seeds = self._tables[dataset].seeds
            known = {seeds[run]: run for run in measured}
            if is_random not in known:
                raise NotMeasuredError(
                    f"{self._named(index)}: seed {is_random!r} is not one of {list(known)}"
                )
            chosen = runs[known[is_random]]
        info = Info()
        numbers = dict(zip(METRICS, chosen.tolist(), strict=True))
        seconds = numbers.pop("training_time")
        if not np.isnan(seconds):
            info["train-all-time"] = seconds
            info["train-per-time"] = seconds / _epochs(hp)
        for name, value in numbers.items():
            if not np.isnan(value):
                info[_INFO_KEYS[name]] = 100 * value
        return info

    def get_cost_info(self, index: Any, dataset: str, hp: str | int = "12") -> Info:
        """Return millions of multiply-accumulates and of parameters of the official network.

        The table's target ``latency`` is included, if there is one.
        """
        known = self._known_index(index)
        name = _dataset(dataset)
        side = _IMAGE_SIDES.get(name, 32)
        size = replace(OFFICIAL_SIZE, num_labels=_LABELS[name], image_size=(side, side))
        operations = EDGE_CELLS.all_operations[official_codes()[known]][None]
        parameters, macs = SUPPORT.network.sizes(operations, size)
        info = Info(flops=float(macs[0]) / 1e6, params=float(parameters[0]) / 1e6)
        table, row = self._tables.get(name), self._rows.get(name, {}).get(known)
        if table is not None and row is not None and "latency" in table.targets:
            info["latency"] = float(table.targets["latency"][row])
        return info

    def get_net_config(self, index: Any, dataset: str) -> dict[str, Any]:
        """Return the arguments from which the official code builds the network.

        They are ``name``, ``C`` channels, ``N`` cells in each stage, ``arch_str`` and
        ``num_classes``.
        """
        known = self._known_index(index)
        return {
            "name": "infer.tiny",
            "C": OFFICIAL_SIZE.stem_channels,
            "N": OFFICIAL_SIZE.modules_per_stack,
            "arch_str": self.arch(known),
            "num_classes": _LABELS[_dataset(dataset)],
        }

    def clear_params(self, index: int, hp: str | int | None = None) -> None:
        """Do nothing: a table has no weights that use memory."""

    def find_best(
        self,
        dataset: str,
        metric_on_set: str,
        FLOP_max: float | None = None,
        Param_max: float | None = None,
        hp: str | int = "12",
    ) -> tuple[int, float | None]:
        """Return the architecture of the highest mean accuracy of its runs.

        Args:
            dataset: Name of the data set.
            metric_on_set: ``train``, ``x-valid``, or the test images: ``ori-test`` of CIFAR-10,
                ``x-test`` of the others.
            FLOP_max: Most millions of multiply-accumulates.
            Param_max: Most millions of parameters.
            hp: Epochs of training, 12 or 200.

        Returns:
            Its index and the accuracy in percent; -1 and None if no architecture qualifies.

        Raises:
            NotMeasuredError: If the tables lack the data set, these images or the epochs.
        """
        other_test = "x-test" if _dataset(dataset) in _CIFAR10 else "ori-test"
        sets = [name for name in _ACCURACY_ON if name != other_test]
        if metric_on_set not in sets:
            raise NotMeasuredError(
                f"the tables have no {metric_on_set!r} of {dataset}, only {', '.join(sets)}"
            )
        self._table(dataset)  # raises if there is none
        metric = METRICS.index(_ACCURACY_ON[metric_on_set])
        given = {"flops": FLOP_max, "params": Param_max}
        limits = {name: most for name, most in given.items() if most is not None}
        best, highest = -1, None
        for index in sorted(self._rows[dataset]):
            cost = self.get_cost_info(index, dataset) if limits else {}
            if any(cost[name] > most for name, most in limits.items()):
                continue
            runs = self._runs(index, dataset, None, hp)[:, metric]
            measured = runs[~np.isnan(runs)]
            if len(measured) and (highest is None or measured.mean() > highest):
                best, highest = index, measured.mean()
        return best, None if highest is None else 100 * float(highest)

    def simulate_train_eval(
        self,
        arch: Any,
        dataset: str,
        iepoch: int | None = None,
        hp: str | int = "12",
        account_time: bool = True,
    ) -> tuple[float, None, float, float]:
        """Return the validation accuracy of a random run, None, its cost and the total in seconds.

        Raises:
            NotMeasuredError: If the table lacks the architecture, its time or accuracy.
        """
        name = "cifar10-valid" if dataset == "cifar10" else dataset
        info = self.get_more_info(arch, name, iepoch, hp)
        seconds = float(info["train-all-time"])
        if account_time:
            self._used_time += seconds
        return float(info["valid-accuracy"]), None, seconds, self._used_time

    def reset_time(self) -> None:
        """Set the total of :meth:`simulate_train_eval` to 0."""
        self._used_time = 0.0

    @property
    def used_time(self) -> float:
        """Seconds of training that :meth:`simulate_train_eval` has simulated."""
        return self._used_time

    def get_unique_str(self, arch: Any) -> str:
        """Return an expression that is equal for architectures that compute the same function."""
        return EDGE_CELLS.unique_string(parse_text(self.arch(self._known_index(arch))))

    @staticmethod
    def str2lists(arch_str: str) -> list[tuple[tuple[str, int], ...]]:
        """Return (operation, source node) of the edges into each node of a text form."""
        parse_text(arch_str)  # refuses what is not an architecture
        groups = [group.strip("|").split("|") for group in arch_str.strip().split("+")]
        return [
            tuple((name, int(source)) for name, _, source in (e.partition("~") for e in group))
            for group in groups
        ]

    def _known_index(self, arch: Any) -> int:
        index = self.query_index_by_arch(arch)
        if index < 0:
            raise NotMeasuredError(f"{quoted(arch)} is not an architecture of {NASBENCH201.name!r}")
        return index

    def _named(self, arch: Any) -> str:
        return f"architecture {self._known_index(arch)}"

    def _table(self, dataset: str) -> Table:
        name = _dataset(dataset)
        if name not in self._tables:
            raise NotMeasuredError(f"the tables are of {', '.join(self.datasets)}, not of {name}")
        return self._tables[name]

    def _runs(
        self, arch: Any, dataset: str, iepoch: int | None, hp: str | int
    ) -> NDArray[np.float64]:
        index = self._known_index(arch)
        table = self._table(dataset)
        if index not in self._rows[dataset]:
            raise NotMeasuredError(f"architecture {index} is not in the table of {dataset}")
        epochs = _epochs(hp)
        if epochs not in table.budgets:
            raise NotMeasuredError(
                f"hp {hp!r}: the table of {dataset} has runs of "
                f"{', '.join(map(str, table.budgets))} epochs"
            )
        if iepoch not in (None, epochs - 1):
            raise NotMeasuredError(
                f"iepoch {iepoch}: the table has final readings only, after epoch {epochs - 1}"
            )
        found = table.metrics[self._rows[dataset][index], table.budgets.index(epochs), :, END]
        runs: NDArray[np.float64] = found.astype(np.float64)
        if dataset in _OF_OTHER and self._tables.get(_CIFAR10[0]) is self._tables.get(_CIFAR10[1]):
            runs[:, METRICS.index(_OF_OTHER[dataset])] = np.nan
        return runs


NASBench201API = NATStopology
"""The name of the class in ``nas_201_api``."""


def _epochs(hp: str | int) -> int:
    """Return the epochs of an official name such as ``"12"``; 0 if it is none."""
    text = str(hp)
    return int(text) if text.isdecimal() else 0


def _dataset(name: str) -> str:
    if name not in _LABELS:
        raise SettingsError(f"data set {name!r} must be one of {', '.join(_LABELS)}")
    return name


def _open(source: Source) -> Table:
    if not isinstance(source, (str, os.PathLike, Table)):
        raise SettingsError(
            f"file_path_or_dict must be the path of a table, a loaded table, or a dictionary of "
            f"these by data set, got {quoted(source)}"
        )
    table = source if isinstance(source, Table) else Table.load(source)
    if table.space != NASBENCH201:
        raise TableError(
            f"a table of {NASBENCH201.name!r} is needed, this one contains cells of "
            f"{table.space.name!r}"
        )
    return table
