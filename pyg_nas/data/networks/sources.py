"""Sources of network graphs: modules, ONNX files, graphs, a builder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, TypeVar

from pyg_nas.errors import NetworkError, quoted
from pyg_nas.io.files import visible_files
from pyg_nas.io.user_code import user_call
from pyg_nas.spaces.modules.network_graph import NetworkGraph
from pyg_nas.spaces.modules.onnx_file import graph_of_onnx

Networks: TypeAlias = "str | os.PathLike[str] | Iterable[NetworkGraph | tuple[Any, Any]]"
"""A folder of ONNX files, graphs, or modules with their example inputs."""

Builder: TypeAlias = Callable[..., tuple[Any, Any]]
"""Makes a module and its example inputs from the keyword arguments of one configuration."""

_T = TypeVar("_T")


class NetworkSource(NamedTuple):
    """One network that is not read yet.

    Attributes:
        name: For messages, and unique among the networks of a dataset.
        load: Returns its graph, the module with its example inputs, or the path of its ONNX file.
    """

    name: str
    load: Callable[[], NetworkGraph | tuple[Any, Any] | Path]


def network_sources(networks: Networks) -> list[NetworkSource]:
    """Return the sources of networks; none of them is read.

    Args:
        networks: A folder, whose files ``*.onnx`` are taken with those of its sub-folders, in the
            order of their paths; or graphs and pairs of a module and its example inputs: a
            tensor, a tuple of positional inputs or a mapping of named ones.

    Raises:
        NetworkError: If there is no network, or one is of another type.
    """
    if isinstance(networks, (str, os.PathLike)):
        sources = list(_onnx_files(Path(networks)))
    elif isinstance(networks, Iterable):
        sources = [_source(number, network) for number, network in enumerate(networks)]
    else:
        raise NetworkError(
            f"networks must be a folder, or a list of NetworkGraphs or pairs (module, inputs), got "
            f"{type(networks).__name__}"
        )
    if not sources:
        raise NetworkError("there is no network, at least one is needed")
    return sources


def built_networks(
    builder: Builder, configurations: Iterable[Mapping[str, Any]]
) -> list[NetworkSource]:
    """Return the sources of the networks that a function builds; none of them is built.

    Args:
        builder: Called with the keyword arguments of one configuration, it returns a module and its
            example inputs, as :func:`network_sources` takes them.
        configurations: The keyword arguments of each network.

    Raises:
        NetworkError: If there is no configuration, or one is not a mapping.
    """
    sources = []
    for number, configuration in enumerate(configurations):
        if not isinstance(configuration, Mapping):
            raise NetworkError(
                f"configuration {number} must be a mapping of arguments, got "
                f"{quoted(configuration)}"
            )
        arguments = ", ".join(f"{name}={value!r}" for name, value in configuration.items())
        name = f"network {number} ({arguments})"
        sources.append(NetworkSource(name, partial(_built, builder, dict(configuration))))
    if not sources:
        raise NetworkError("there is no configuration, at least one is needed")
    return sources


@contextmanager
def naming_network(name: str) -> Iterator[None]:
    """Make an error of the block name the network.

    Raises:
        NetworkError: If the block raises one.
    """
    try:
        yield
    except NetworkError as error:
        text = str(error)
        # The path of a file contains its name.
        raise NetworkError(text if name in text else f"{name}: {text}") from error


def graph_of_network(network: NetworkGraph | tuple[Any, Any] | Path) -> NetworkGraph:
    """Return the graph of a source's result.

    Raises:
        NetworkError: If it cannot be read as a graph.
    """
    if isinstance(network, NetworkGraph):
        return network
    if isinstance(network, Path):
        return graph_of_onnx(network)
    from pyg_nas.spaces.modules.trace import graph_of

    module, inputs = network
    positional, named = arguments(inputs)
    return graph_of(module, *positional, **named)


def arguments(inputs: Any) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """Return example inputs as positional and named arguments."""
    if isinstance(inputs, Mapping):
        return (), inputs
    return (tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)), {}


def _onnx_files(folder: Path) -> Iterator[NetworkSource]:
    if not folder.is_dir():
        raise NetworkError(f"{folder}: is not a folder; a folder of ONNX files is needed")
    # Also a pipe or a link to nothing, whose reading fails: it would be missing unnoticed.
    paths = [p for p in visible_files(folder, NetworkError) if p.suffix.lower() == ".onnx"]
    if not paths:
        raise NetworkError(f"{folder}: has no file that ends in .onnx")
    for path in paths:
        yield NetworkSource(path.relative_to(folder).as_posix(), partial(_itself, path))


def _source(number: int, network: Any) -> NetworkSource:
    name = f"network {number}"
    if isinstance(network, NetworkSource):
        return network
    if isinstance(network, NetworkGraph) or (isinstance(network, tuple) and len(network) == 2):
        return NetworkSource(name, partial(_itself, network))
    raise NetworkError(
        f"{name} must be a NetworkGraph or a pair (module, inputs), got {type(network).__name__}"
    )


def _itself(network: _T) -> _T:
    return network


def _built(builder: Builder, configuration: dict[str, Any]) -> tuple[Any, Any]:
    with user_call("the builder", NetworkError):
        network = builder(**configuration)
    if not isinstance(network, tuple) or len(network) != 2:
        raise NetworkError(
            f"the builder must return a pair (module, inputs), it returned a "
            f"{type(network).__name__}"
        )
    return network
