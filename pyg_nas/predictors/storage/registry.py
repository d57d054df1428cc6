"""Names of estimator classes: those that can be stored, and ``module:Class`` of users."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any, TypeVar

from pyg_nas.errors import ModelError, SettingsError, quoted
from pyg_nas.io.user_code import imported, object_named
from pyg_nas.predictors.storage.state import FittedState

ENTRY_POINTS = "pyg_nas.estimators"
"""Group of entry points by which installed packages register estimators, see
:func:`register_estimator`."""

_BUILT_IN = {
    name: f"pyg_nas.predictors.{module}:{name}"
    for name, module in {
        "GCNRegressor": "gnn.gcn",
        "GCNClassifier": "gnn.gcn",
        "TwoStageRegressor": "gnn.two_stage",
        "HybridRegressor": "hybrid",
        "TransferRegressor": "transfer.regressor",
        "GaussianProcess": "gaussian_process.regressor",
        "FeatureForest": "forest",
        "ResidualGNNRegressor": "gnn.residual",
        "SmallGaussianProcess": "gaussian_process.small",
        "NetworkRegressor": "networks.regressor",
        "NetworkGNNRegressor": "networks.gnn",
        "LatencyRegressor": "cost.latency",
        "OperationTimes": "cost.operation_times",
        "LogRegressor": "cost.log_labels",
    }.items()
}
_registered: dict[str, type] = {}

AnyClass = TypeVar("AnyClass", bound=type)


def register_estimator(cls: AnyClass) -> AnyClass:
    """Make a class storable: :func:`~pyg_nas.predictors.save_model` takes its estimators.

    A decorator. The class is a scikit-learn estimator with ``fitted_state``
    (:mod:`pyg_nas.predictors.storage.state`) and is stored under its name. A model folder can be
    read where the class is registered: after the import of its module, or where its package is
    installed with an entry point of the group ``pyg_nas.estimators`` of the class' name.

    Raises:
        ModelError: If the class has no :class:`~pyg_nas.predictors.storage.state.FittedState`, or
            another one has its name.
    """
    name = cls.__name__
    stated = isinstance(getattr(cls, "fitted_state", None), FittedState)
    if not stated or not hasattr(cls, "get_params"):
        raise ModelError(
            f"class {name} needs get_params, and a FittedState as fitted_state, to be registered"
        )
    other = _registered.get(name)
    # A class that is defined again, for example in a notebook, replaces the old one.
    same = other is None or (other.__module__, other.__qualname__) == (
        cls.__module__,
        cls.__qualname__,
    )
    if name in _BUILT_IN or not same:
        raise ModelError(f"an estimator of the name {name} is registered already")
    _registered[name] = cls
    return cls


def registered_name(estimator: Any) -> str:
    """Return the name under which an estimator's class is stored.

    Raises:
        ModelError: If the class is not registered.
    """
    cls = type(estimator)
    name = cls.__name__
    built_in = _BUILT_IN.get(name) == f"{cls.__module__}:{name}"
    if not built_in and _registered.get(name) is not cls and _from_entry_point(name) is not cls:
        raise ModelError(
            f"class {name} is not registered, so its models cannot be stored: decorate it with "
            f"pyg_nas.predictors.register_estimator and declare its fitted_state; `pyg-nas "
            f"compare`, `tune` and `search` store no model and take it as it is"
        )
    return name


def registered_class(name: str) -> type:
    """Return the class that is stored under ``name``; no other is ever imported.

    Raises:
        ModelError: If none is.
    """
    if name in _BUILT_IN:
        built_in: type = imported(_BUILT_IN[name])
        return built_in
    cls = _registered.get(name) or _from_entry_point(name)
    if cls is None:
        raise ModelError(
            f"class {name!r} must be one of {', '.join(storable_names())}; import the module that "
            f"registers it (a command does with --recipe file.py:Class), or install it with an "
            f"entry point of the group {ENTRY_POINTS}"
        )
    return cls


def storable_names() -> list[str]:
    """Return the names of all classes that can be stored here."""
    return sorted({*_BUILT_IN, *_registered, *entry_points(group=ENTRY_POINTS).names})


def class_named(reference: str) -> Callable[..., Any]:
    """Return the class or function of ``module:Name`` or ``path/to/file.py:Name``.

    Only for references that the user types: it imports the module, which may lie in the working
    folder.

    Raises:
        SettingsError: If it cannot be imported or has no such name.
    """
    found: Callable[..., Any] = object_named(reference)
    if not callable(found):
        raise SettingsError(f"{reference}: must name a class or a function, got {quoted(found)}")
    return found


def _from_entry_point(name: str) -> type | None:
    for point in entry_points(group=ENTRY_POINTS):
        if point.name == name:
            cls: type = point.load()
            return cls
    return None
