"""The work of a device for a network: multiply-accumulates and bytes by kind of work."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pyg_nas.features.fusion import fused_bytes
from pyg_nas.features.network_operations import grouped_convolutions
from pyg_nas.spaces.modules.network_array import NetworkArray
from pyg_nas.spaces.modules.network_graph import ATTRIBUTES
from pyg_nas.spaces.modules.space import NETWORKS
from pyg_nas.spaces.modules.vocabulary import FAMILIES, group_of_column

Floats = NDArray[np.float64]

_KINDS = {
    "convolution": FAMILIES["convolution"],
    "linear": FAMILIES["linear"],
    "matmul": "matmul attention",
    "softmax": "softmax",
    **{name: FAMILIES[name] for name in ("normalisation", "activation", "pooling")},
    "arithmetic": f"{FAMILIES['arithmetic']} cast",
    "movement": "",  # of data, and what is in no vocabulary
    # Convolutions by their groups, which differ in speed by orders of magnitude.
    "pointwise convolution": "",
    "grouped convolution": "",
    "depthwise convolution": "",
}
_NAMES = tuple(_KINDS)
_WITH_MACS = frozenset({"linear", "matmul", *(n for n in _NAMES if "convolution" in n)})
_KIND = group_of_column(_KINDS, rest="movement")

# Terms of the sums that a multiply-accumulate belongs to: short ones leave units idle.
_TERMS = (0, 48, 192, 768)
# Multiply-accumulates that a device does in the time in which it moves a byte: slow memory to fast.
_INTENSITIES = (4, 16, 64, 256)


def network_costs(networks: NetworkArray, fused: bool = False) -> Floats:
    """Return the work of a device for each of ``N`` networks with their example inputs.

    Each kind of work has multiply-accumulates, bytes that it reads and writes, and a number of
    operations. Multiply-accumulates are counted once more by the length of the sums that they
    belong to. ``roofline`` sums over operations the larger of the bytes and the
    multiply-accumulates, divided by how many of them a device does in the time of a byte (Williams,
    Waterman and Patterson, 2009, Roofline). Views of data are no work.

    Args:
        networks: The networks.
        fused: Whether a compiler joins operations (:mod:`pyg_nas.features.fusion`). Then bytes are
            those that are left, and operations those that still write a result.

    Returns:
        Float64 ``[N, costs]``, named by :func:`network_cost_names`.
    """
    return np.stack([networks.sums(amount) for _, amount in _amounts(networks, fused)], axis=1)


def network_cost_names() -> tuple[str, ...]:
    """Return the names of the columns of :func:`network_costs`."""
    return tuple(name for name, _ in _amounts(NetworkArray.from_graphs([]), False))


def network_cost_totals() -> NDArray[np.bool_]:
    """Return which columns of :func:`network_costs` are a kind's part of a total, ``[3, costs]``.

    The totals are multiply-accumulates, bytes and operations of all kinds of work.
    """
    names = network_cost_names()
    totals = ("multiply-accumulates of ", "bytes of ", "operations of ")
    return np.array([[name.startswith(total) for name in names] for total in totals])


def _amounts(networks: NetworkArray, fused: bool) -> Iterator[tuple[str, Floats]]:
    """Yield names and amounts of every vertex ``[V]``."""
    values = {
        name: networks.attributes[:, column].astype(np.float64)
        for column, name in enumerate(ATTRIBUTES)
    }
    macs, read, written, size = (
        np.expm1(values[f"log {name}"])
        for name in ("multiply-accumulates", "bytes read", "bytes written", "size of the result")
    )
    works = (written > 0) & (networks.columns >= len(NETWORKS.terminals))
    if fused:
        read, written = fused_bytes(networks)
    moved = np.where(works, read + written, 0.0)
    counted = works & (written > 0)
    kind = _kinds_of_work(networks, values)
    for number, name in enumerate(_NAMES):
        chosen = kind == number
        if name in _WITH_MACS:
            yield f"multiply-accumulates of {name}", macs * chosen
        yield f"bytes of {name}", moved * chosen
        yield f"operations of {name}", (counted & chosen).astype(np.float64)
    terms = np.searchsorted(_TERMS, macs / np.maximum(size, 1), "right") - 1
    for number, least in enumerate(_TERMS):
        yield f"multiply-accumulates in sums of at least {least} terms", macs * (terms == number)
    for intensity in _INTENSITIES:
        yield f"roofline at {intensity}", np.maximum(macs / intensity, moved)


def _kinds_of_work(networks: NetworkArray, values: dict[str, Floats]) -> NDArray[np.int64]:
    """Return the kind of work of every vertex ``[V]``."""
    kind = _KIND[networks.columns]
    convolution = kind == _NAMES.index("convolution")
    grouped, depthwise = grouped_convolutions(networks.columns, values)
    kind[convolution & (values["kernel"] == 1)] = _NAMES.index("pointwise convolution")
    kind[grouped] = _NAMES.index("grouped convolution")
    kind[depthwise] = _NAMES.index("depthwise convolution")
    return kind
