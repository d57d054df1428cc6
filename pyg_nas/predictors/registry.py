"""Names of estimator classes: which can be stored, and classes that users name as module:Class."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, TypeVar

from pyg_nas.errors import ModelError, SettingsError

ENTRY_POINTS = "pyg_nas.estimators"
"""Group of entry points by which installed packages register estimators, see
:func:`register_estimator`."""

_BUILT_IN = {
    name: f"pyg_nas.predictors.{module}:{name}"
    for name, module in {
        "GCNRegressor": "gcn",
        "GCNClassifier": "gcn",
        "TwoStageRegressor": "two_stage",
        "HybridRegressor": "hybrid",
        "TransferRegressor": "transfer_regressor",
        "GaussianProcess": "gaussian_process",
        "ResidualGNNRegressor": "residual_gnn",
        "SmallGaussianProcess": "small_gp",
        "NetworkRegressor": "networks",
        "NetworkGNNRegressor": "network_gnn",
        "LatencyRegressor": "latency",
        "LogRegressor": "log_labels",
    }.items()
}
_registered: dict[str, type] = {}

AnyClass = TypeVar("AnyClass", bound=type)


def register_estimator(cls: AnyClass) -> AnyClass:
    """Make a class storable: :func:`~pyg_nas.predictors.storage.save_model` takes its estimators.

    A decorator. The class is a scikit-learn estimator with ``fitted_state``
    (:mod:`pyg_nas.predictors.state`) and is stored under its name. A model folder can be read where
    the class is registered: after the import of its module, or where its package is installed with
    an entry point of the group ``pyg_nas.estimators`` of the class' name.

    Raises:
        ModelError: If the class has no ``fitted_state``, or another one has its name.
    """
    name = cls.__name__
    if not hasattr(cls, "fitted_state") or not hasattr(cls, "get_params"):
        raise ModelError(f"class {name} needs get_params and fitted_state to be registered")
    other = _registered.get(name)
    # A class that is defined again, in a notebook say, replaces itself.
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
            f"pyg_nas.predictors.register_estimator (registered are {', '.join(storable_names())})"
        )
    return name


def registered_class(name: str) -> type:
    """Return the class that is stored under ``name``; no other is ever imported.

    Raises:
        ModelError: If none is.
    """
    if name in _BUILT_IN:
        built_in: type = _imported(_BUILT_IN[name])
        return built_in
    cls = _registered.get(name) or _from_entry_point(name)
    if cls is None:
        raise ModelError(
            f"class {name!r} must be one of {', '.join(storable_names())}; import the module that "
            f"registers it, or install it with an entry point of the group {ENTRY_POINTS}"
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
    here = str(Path.cwd())
    if here not in sys.path:  # as `python -m` has it; at the end, so that it hides no package
        sys.path.append(here)
    try:
        found: Callable[..., Any] = _imported(reference)
    except Exception as error:  # a user's module may raise anything
        raise SettingsError(f"{reference}: cannot be imported ({error})") from error
    if not callable(found):
        raise SettingsError(f"{reference}: must name a class or a function, got {found!r}")
    return found


def _imported(reference: str) -> Any:
    module_name, _, name = reference.rpartition(":")
    if module_name.endswith(".py"):
        return getattr(_file_module(Path(module_name)), name)
    return getattr(importlib.import_module(module_name), name)


def _file_module(path: Path) -> Any:
    """The module of a file; imported once, so that its classes are the same at each call."""
    resolved = path.resolve()
    for module in list(sys.modules.values()):
        if getattr(module, "__file__", None) == str(resolved):
            return module
    spec = importlib.util.spec_from_file_location(resolved.stem, resolved)
    if spec is None or spec.loader is None or not resolved.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    if resolved.stem in sys.modules:
        raise ImportError(f"a module named {resolved.stem!r} is imported already; rename the file")
    module = importlib.util.module_from_spec(spec)
    # By its name, as pickle looks it up.
    sys.modules[resolved.stem] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[resolved.stem]
        raise
    return module


def _from_entry_point(name: str) -> type | None:
    for point in entry_points(group=ENTRY_POINTS):
        if point.name == name:
            cls: type = point.load()
            return cls
    return None
