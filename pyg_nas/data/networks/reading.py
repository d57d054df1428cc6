"""Reading the graphs of many networks, in this process or in several."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pyg_nas.compute.workers import Call, WorkerDiedError, Workers
from pyg_nas.data.networks.sources import NetworkSource, graph_of_network, naming_network
from pyg_nas.errors import NetworkError, NetworksError, one_line
from pyg_nas.spaces.modules.network_array import NetworkArray

OnNetwork = Callable[[int, int], None]
"""Called after each network with the number of networks that are done, and of all."""


def read_networks(
    sources: Sequence[NetworkSource], progress: OnNetwork | None = None, workers: int = 1
) -> NetworkArray:
    """Return the graphs of sources.

    Args:
        sources: The networks.
        progress: Called after each network that is read.
        workers: Processes that read them; -1 for one on each core. With more than one, each source
            is sent to a process: builders and files are small, modules have their weights.

    Warns:
        UserWarning: As the reading of a network does, in whichever process.

    Raises:
        NetworkError: If some cannot be read, after all others were; the message has the name of
            each, and the reason. If one cannot be sent to another process.
        SettingsError: If there are less than 1 worker, or too many.
    """
    if workers == 1:
        found: Iterator[tuple[Call, Any]] = Workers().run(_read, None, enumerate(sources))
    else:
        found = _read_in_processes(sources, workers)
    graphs: dict[int, NetworkArray] = {}
    refused: dict[int, NetworkError] = {}
    for done, ((number, *_), result) in enumerate(found, start=1):
        if isinstance(result, NetworkArray):
            graphs[number] = result
        elif isinstance(result, NetworkError):
            refused[number] = result
        else:
            refused[number] = _ended(sources[number].name, result)
        if progress is not None:
            progress(done, len(sources))
    if refused:
        errors = [refused[number] for number in sorted(refused)]
        raise _refusal(errors, len(sources)) from errors[0]
    return NetworkArray.join([graphs[number] for number in range(len(sources))])


def _read(_: None, number: int, source: NetworkSource) -> NetworkArray | NetworkError:
    """Return the graph of a source, or why there is none."""
    try:
        with naming_network(source.name):
            return NetworkArray.from_graphs([graph_of_network(source.load())])
    except NetworkError as error:
        return error.with_traceback(None)  # which would keep the network in memory


def _read_in_processes(
    sources: Sequence[NetworkSource], workers: int
) -> Iterator[tuple[Call, NetworkArray | NetworkError | WorkerDiedError]]:
    """Yield what :func:`_read` returns, and warn in this process."""
    # More processes than networks would start too.
    processes = Workers("loky", min(workers, max(len(sources), 1)))
    for call, answer in processes.run(_read_sent, None, _sent(sources)):
        result, texts = (answer, []) if isinstance(answer, WorkerDiedError) else answer
        for text in texts:
            warnings.warn(text, stacklevel=3)
        yield call, result


def _sent(sources: Sequence[NetworkSource]) -> Iterator[tuple[int, bytes]]:
    """Yield sources as bytes, so that one that has none is an error of its own."""
    from joblib.externals.loky.backend.reduction import dumps

    for number, source in enumerate(sources):
        try:
            yield number, bytes(dumps(source))
        except Exception as error:  # a user's object may raise anything
            raise NetworkError(
                f"{source.name}: cannot be sent to another process ({one_line(error)}); read the "
                f"networks with one worker"
            ) from error


def _read_sent(_: None, number: int, sent: bytes) -> tuple[NetworkArray | NetworkError, list[str]]:
    """Read a network in another process; the warnings are returned with it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        result = _read(None, number, pickle.loads(sent))
    return result, [str(one.message) for one in caught]


def _ended(name: str, error: WorkerDiedError) -> NetworkError:
    return NetworkError(f"{name}: the process that read it has ended: {error}")


def _refusal(refused: Sequence[NetworkError], total: int) -> NetworkError:
    """Return the error on the networks of a list that cannot be read."""
    first, *others = refused
    if total == 1:
        return NetworkError(str(first))
    counts = f"{len(refused):,} of {total:,} networks cannot be read"
    if not others:
        return NetworkError(f"{counts}, repair or remove it: {first}")
    return NetworksError(f"{counts}, repair or remove them:", [str(error) for error in refused])
