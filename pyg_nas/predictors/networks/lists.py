"""Lists of networks that a user names: a folder of ONNX files, a builder, a table."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from pyg_nas.data.networks.reading import OnNetwork, read_networks
from pyg_nas.data.networks.sources import NetworkSource, built_networks, network_sources
from pyg_nas.data.networks.table import NetworkTable, is_network_table
from pyg_nas.errors import NetworkError, SettingsError, argument
from pyg_nas.io.formats.json_reader import parse_json, read_json
from pyg_nas.io.limits import MOST_SETTINGS_BYTES
from pyg_nas.io.regular_files import read_regular
from pyg_nas.predictors.storage.registry import class_named


def named_sources(
    networks: str, configurations: str | os.PathLike[str] | None = None
) -> list[NetworkSource]:
    """Return the sources of a folder of ONNX files, or of a builder's networks.

    Args:
        networks: The folder, or ``module:builder`` or ``file.py:builder``
            (:data:`~pyg_nas.data.networks.sources.Builder`), whose module is imported.
        configurations: A JSON file with a list of objects, or a JSON Lines file of objects:
            the arguments of each call of the builder.

    Raises:
        NetworkError: If it is neither, or there is no network.
        SettingsError: If the builder cannot be imported, the file cannot be read, or there are
            configurations without a builder or a builder without configurations.
    """
    _check_builder(networks, configurations)
    if configurations is None:
        return network_sources(networks)
    listed = read_configurations(configurations)
    built = built_networks(_NamedBuilder(networks), listed)
    # Names that can be read back: the configuration itself.
    names = [json.dumps(configuration) for configuration in listed]
    repeated = len(set(names)) < len(names)
    return [
        NetworkSource(f"{number} {name}" if repeated else name, source.load)
        for number, (name, source) in enumerate(zip(names, built, strict=True))
    ]


def _check_builder(networks: str, configurations: str | os.PathLike[str] | None) -> None:
    """Check that a builder has configurations, and nothing else has.

    Raises:
        SettingsError: If not, or a Python file is named without its function.
    """
    if networks.endswith(".py") and not Path(networks).is_dir():
        raise SettingsError(
            f"{networks}: name the function of the file that builds the networks, such as "
            f"{networks}:build"
        )
    is_builder = ":" in networks and not Path(networks).exists()
    if is_builder and configurations is None:
        raise SettingsError(
            f"{networks}: a builder needs a file of configurations ({argument('configurations')})"
        )
    if configurations is not None and not is_builder:
        raise SettingsError(
            f"{networks}: {argument('configurations')} is for a builder, module:function or "
            f"file.py:function; a table or folder of ONNX files has none"
        )


class _NamedBuilder:
    """The function of a reference; another process imports it by this reference.

    A function of a file cannot be sent otherwise: its module is on no path.
    """

    def __init__(self, reference: str) -> None:
        self._reference = reference
        self._build = class_named(reference)

    def __call__(self, /, **configuration: Any) -> Any:
        return self._build(**configuration)

    def __reduce__(self) -> tuple[type[_NamedBuilder], tuple[str]]:
        return _NamedBuilder, (self._reference,)


def read_configurations(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Return the configurations of a file, see :func:`named_sources`.

    Raises:
        SettingsError: If it is not such a file.
    """
    if Path(path).suffix == ".jsonl":
        found: Any = []
        for number, line in enumerate(
            read_regular(path, MOST_SETTINGS_BYTES).split(b"\n"), start=1
        ):
            try:
                found += [parse_json(line)] if line.strip() else []
            except SettingsError as error:
                raise SettingsError(f"{path}, line {number}: {error}") from None
    else:
        found = read_json(path)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise SettingsError(f"{path}: must be a list of objects, or one object per line in .jsonl")
    if not found:
        raise SettingsError(f"{path}: has no configuration, at least one is needed")
    return found


def read_candidates(
    networks: str,
    configurations: str | os.PathLike[str] | None = None,
    progress: OnNetwork | None = None,
    workers: int = 1,
) -> NetworkTable:
    """Return the graphs of named networks, without targets, or a table that is named.

    Args:
        networks: As :func:`named_sources` takes it, or the path of a table of networks.
        configurations: As :func:`named_sources` takes it.
        progress: Called after each network that is read.
        workers: Processes that read them; -1 for one on each core.

    Raises:
        NetworkError: If a network cannot be read; the message names all of these.
        SettingsError: As :func:`named_sources`.
        TableError: If a file is not a table of networks.
    """
    if Path(networks).is_file():
        _check_builder(networks, configurations)
        if not is_network_table(networks):
            raise NetworkError(f"{networks}: is not a table of networks")
        return NetworkTable.load(networks)
    sources = named_sources(networks, configurations)
    graphs = read_networks(sources, progress, workers)
    return NetworkTable(graphs, [source.name for source in sources])
