"""The fitted state of an estimator class: declared once, stored, and checked when it is read.

An estimator declares its fitted attributes; the name of each attribute ends in ``_``::

    class Line(CellEstimator):
        fitted_state = FittedState(
            arrays={"slope": Array("float64", ("d",))}, values={"mean": FiniteFloat}
        )
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import AfterValidator, PlainSerializer, PlainValidator, TypeAdapter

from pyg_nas.errors import ModelError, listed, quoted
from pyg_nas.features.graph_features import check_feature_version
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.io.array_cache import Arrays
from pyg_nas.io.formats.json_reader import parse_json
from pyg_nas.io.limits import MOST_FEATURES
from pyg_nas.io.record import checked_value

if TYPE_CHECKING:
    from torch import Tensor

_VALUES = "values"
_DECLARED = {
    "arrays": 'an Array each, as Array("float64", ("d",))',
    "values": "a type of pydantic each, as float",
    "parts": "True where the part is required, else False",
}

Space = Annotated[
    Any, PlainValidator(SearchSpace.from_dict), PlainSerializer(lambda space: space.to_dict())
]
"""A :class:`SearchSpace` as a JSON object."""


FeatureVersion = Annotated[Any, AfterValidator(check_feature_version)]
"""The feature version of a fit; a model of another version is refused."""


@dataclass(frozen=True)
class Array:
    """A fitted array.

    Args:
        dtype: Its NumPy type.
        shape: A symbol or a number for each dimension. One symbol is one size in all arrays;
            ``"*k"`` means any number of dimensions, and ``"n"`` at most the number of
            training cells.
        optional: Whether the attribute may be None.
        torch: Whether the attribute is a torch tensor.
    """

    dtype: str
    shape: tuple[str | int, ...] = ()
    optional: bool = False
    torch: bool = False


@dataclass(frozen=True)
class Networks:
    """Fitted networks: a list of modules, or one.

    Args:
        attribute: Name of their fitted attribute.
        build: Method that returns them without weights, on torch's meta device; called when arrays
            and values are set.
        prefix: Prefix of the names of their tensors; in a list, a position follows.
    """

    attribute: str
    build: str
    prefix: str = ""


@dataclass(frozen=True)
class FittedState:
    """The fitted attributes of an estimator, without their trailing underscore.

    Args:
        arrays: Arrays by name; stored as tensors.
        values: Pydantic types of other values by name; stored as JSON.
        parts: Fitted estimators inside, by name; True where a part is required.
        networks: Fitted networks.

    Raises:
        ModelError: If one is of another kind.
    """

    arrays: Mapping[str, Array] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    parts: Mapping[str, bool] = field(default_factory=dict)
    networks: Networks | None = None

    def __post_init__(self) -> None:
        for what, kind in (("arrays", Array), ("values", object), ("parts", bool)):
            given = getattr(self, what)
            if not isinstance(given, Mapping) or not all(
                isinstance(name, str) and not name.endswith("_") and isinstance(value, kind)
                for name, value in given.items()
            ):
                raise ModelError(
                    f"fitted_state: {what} must be a dictionary from names, those of fitted "
                    f"attributes without the last underscore, to {_DECLARED[what]}, got "
                    f"{quoted(given)}"
                )
        if not isinstance(self.networks, Networks | None):
            raise ModelError(
                f"fitted_state: networks must be a Networks, got {quoted(self.networks)}"
            )


def read_parts(estimator: Any) -> dict[str, Any]:
    """Return the fitted estimators inside ``estimator``, by name."""
    parts = {name: _fitted(estimator, name) for name in estimator.fitted_state.parts}
    return {name: part for name, part in parts.items() if part is not None}


def read_state(estimator: Any) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return tensors and JSON values of a fitted estimator, without those of its parts."""
    import torch

    state: FittedState = estimator.fitted_state
    tensors: dict[str, Tensor] = {}
    if state.networks is not None:
        for prefix, network in _named(
            state.networks, _attribute(estimator, state.networks.attribute)
        ):
            for name, tensor in network.state_dict().items():
                tensors[prefix + name] = tensor.detach().cpu().contiguous()
    for name, spec in state.arrays.items():
        value = _fitted(estimator, name)
        if value is None and spec.optional:
            continue
        array = value.detach().cpu().numpy() if spec.torch else np.asarray(value)
        tensors[name] = torch.from_numpy(np.array(array, spec.dtype, order="C"))
    values = {
        name: TypeAdapter(kind).dump_python(
            _plain(_fitted(estimator, name)), mode="json", warnings=False
        )
        for name, kind in state.values.items()
    }
    return tensors, values


def _fitted(estimator: Any, name: str) -> Any:
    return _attribute(estimator, f"{name}_")


def _attribute(estimator: Any, attribute: str) -> Any:
    try:
        return getattr(estimator, attribute)
    except AttributeError:
        raise ModelError(
            f"no attribute {attribute}, which its fitted_state declares by the name without the "
            f"underscore; it is not fitted, or fit does not set this attribute"
        ) from None


def write_state(
    estimator: Any,
    tensors: Mapping[str, Tensor],
    values: Mapping[str, Any],
    parts: Mapping[str, Any] | None = None,
    most_cells: int | None = None,
    shapes_only: bool = False,
) -> None:
    """Set the fitted attributes of ``estimator``, an unfitted one with its settings.

    Args:
        estimator: The estimator.
        tensors: Its fitted arrays and the weights of its networks, by name.
        values: Its fitted values.
        parts: The fitted estimators inside it.
        most_cells: Number of training cells; None where it is not known.
        shapes_only: Only check types and shapes, of tensors whose content was not read yet. The
            estimator cannot be used afterwards.

    Raises:
        ModelError: If something is missing, unknown or does not fit the declaration or the rest.
    """
    state: FittedState = estimator.fitted_state
    given = dict(parts or {})
    needed = {name for name, is_needed in state.parts.items() if is_needed}
    if not needed <= set(given) <= set(state.parts):
        raise ModelError(
            f"a {type(estimator).__name__} has the parts {', '.join(state.parts) or 'none'}, got "
            f"{sorted(given)}"
        )
    for name in state.parts:
        setattr(estimator, f"{name}_", given.get(name))
    for name, kind in state.values.items():
        setattr(estimator, f"{name}_", checked_value(kind, values.get(name), name, ModelError))
    _set_arrays(estimator, tensors, most_cells, shapes_only)
    if state.networks is not None:
        _set_networks(estimator, state.networks, tensors, shapes_only)
    finish = getattr(estimator, "check_shapes" if shapes_only else "check_fitted_state", None)
    if finish is not None:
        finish()


def pack_state(estimator: Any) -> Arrays:
    """Return the :func:`read_state` of a fitted estimator without parts as arrays alone."""
    tensors, values = read_state(estimator)
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    return {**arrays, _VALUES: np.frombuffer(json.dumps(values).encode(), dtype=np.uint8)}


def unpack_state(estimator: Any, arrays: Arrays) -> None:
    """Set the fitted attributes of ``estimator`` from :func:`pack_state`'s result.

    Raises:
        ModelError: As :func:`write_state`.
    """
    import torch

    tensors = {name: torch.from_numpy(a) for name, a in arrays.items() if name != _VALUES}
    write_state(estimator, tensors, parse_json(arrays[_VALUES].tobytes()))


def _set_arrays(
    estimator: Any, tensors: Mapping[str, Tensor], most_cells: int | None, shapes_only: bool
) -> None:
    import torch

    state, named = estimator.fitted_state, type(estimator).__name__
    missing = [n for n, a in state.arrays.items() if not a.optional and n not in tensors]
    if missing:
        raise ModelError(f"a {named} lacks {', '.join(sorted(missing))}; train the model again")
    unknown = set(tensors) - set(state.arrays)
    if unknown and state.networks is None:
        raise ModelError(f"a {named} has no {listed(sorted(unknown))}; train the model again")
    sizes: dict[str, Any] = {}
    for name, spec in state.arrays.items():
        if name not in tensors:
            setattr(estimator, f"{name}_", None)
            continue
        array = tensors[name].numpy()
        wanted = _expected_shape(spec.shape, array.shape, sizes)
        if array.shape != wanted:
            raise ModelError(f"{name} must be {wanted}, got {array.shape}")
        if array.dtype.kind != np.dtype(spec.dtype).kind:
            raise ModelError(f"{name} must be {spec.dtype}, got {array.dtype}")
        if most_cells is not None and sizes.get("n", 0) > most_cells:
            raise ModelError(f"{name} has {sizes['n']:,} cells, the training had {most_cells:,}")
        if sizes.get("d", 0) > MOST_FEATURES:
            raise ModelError(f"{name} has {sizes['d']:,} features, at most {MOST_FEATURES:,}")
        if shapes_only:  # a conversion, or a check of its content, would need memory for it
            zeros = torch.from_numpy(np.zeros((), spec.dtype)).expand(wanted)
            setattr(estimator, f"{name}_", zeros if spec.torch else zeros.numpy())
            continue
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ModelError(f"{name} must be finite, got NaN or infinity")
        array = array.astype(spec.dtype, copy=False)
        setattr(estimator, f"{name}_", torch.from_numpy(array) if spec.torch else array)


def _expected_shape(
    shape: tuple[str | int, ...], found: tuple[int, ...], sizes: dict[str, Any]
) -> tuple[int, ...]:
    """The required shape of ``found`` by the sizes so far; it defines sizes of new symbols."""
    wanted: list[int] = []
    for position, symbol in enumerate(shape):
        if isinstance(symbol, int):
            wanted.append(symbol)
        elif symbol.startswith("*"):
            wanted += sizes.setdefault(symbol, found[position:])
        else:
            here = found[position] if position < len(found) else 0
            wanted.append(sizes.setdefault(symbol, here))
    return tuple(wanted)


def _set_networks(
    estimator: Any, networks: Networks, tensors: Mapping[str, Tensor], shapes_only: bool
) -> None:
    from pyg_nas.compute.device import pick_device

    device = pick_device(getattr(estimator, "device", "cpu"))
    built = getattr(estimator, networks.build)()
    left = set(tensors) - set(estimator.fitted_state.arrays)
    for prefix, network in _named(networks, built):
        own = {key for key in left if key.startswith(prefix)}
        try:
            network.load_state_dict({key[len(prefix) :]: tensors[key] for key in own}, assign=True)
        except RuntimeError as error:
            raise ModelError(f"weights {prefix.rstrip('.')} do not fit: {error}") from None
        if not shapes_only:
            network.to(device).eval()
        left -= own
    if left:
        raise ModelError(f"weights of no network: {', '.join(sorted(left)[:3])}")
    setattr(estimator, networks.attribute, built)


def _named(spec: Networks, networks: Any) -> list[tuple[str, Any]]:
    if isinstance(networks, list):
        return [(f"{spec.prefix}{i}.", network) for i, network in enumerate(networks)]
    return [(spec.prefix, networks)]


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
