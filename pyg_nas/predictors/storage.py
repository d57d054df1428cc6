"""A fitted estimator as a folder: ``settings.json`` and ``weights.safetensors``, nothing pickled.

``settings.json`` holds the estimator's name, constructor arguments and fitted values, the
checksum of the weights, ``about``: the protocol, recipe and training cells, and a checksum of
all that. An estimator that can be stored has ``get_state() -> (tensors, values)`` and
``set_state(tensors, values)``; estimators inside an estimator are stored in the same way under
their argument's name.
"""

from __future__ import annotations

import importlib
import json
import os
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from pyg_nas.errors import ModelError, PygNasError, SettingsError
from pyg_nas.io.files import atomic_path, check_output_folder
from pyg_nas.io.json_reader import read_json
from pyg_nas.io.safetensors_file import read_safetensors

SETTINGS = "settings.json"
WEIGHTS = "weights.safetensors"
FORMAT = 2

# Only these classes are ever made from a folder: a settings file cannot name code to run.
STORABLE = {
    "GCNRegressor": "pyg_nas.predictors.gcn",
    "GCNClassifier": "pyg_nas.predictors.gcn",
    "TwoStageRegressor": "pyg_nas.predictors.two_stage",
    "BestRegressor": "pyg_nas.predictors.hybrid",
    "GaussianProcess": "pyg_nas.predictors.gaussian_process",
    "ResidualGNNRegressor": "pyg_nas.predictors.residual_gnn",
}
# Arguments that say how to run rather than what was fitted.
_NOT_STORED = ("progress", "device", "backend")
_CHECKSUM = "settings_sha256"
_MOST_TRIES = 10


def save_model(
    estimator: Any, folder: str | os.PathLike[str], about: dict[str, Any] | None = None
) -> None:
    """Write a fitted estimator to ``folder``.

    Both files are on the disk before they replace an earlier model's. A process that is killed
    between the two replacements leaves a folder that is refused on reading.

    Args:
        estimator: A fitted estimator of a class in :data:`STORABLE`.
        folder: Made where it is missing; an earlier model in it is replaced.
        about: JSON values that travel with the model.

    Raises:
        ModelError: If the class cannot be stored, or ``folder`` holds something else.
        SettingsError: If ``folder`` cannot be written.
    """
    from safetensors.torch import save

    check_model_folder(folder)
    folder = Path(folder)
    tensors: dict[str, Any] = {}
    description = _describe(estimator, "", tensors)
    weights = save(tensors)
    settings = {
        "format": FORMAT,
        "model": description,
        "weights_sha256": sha256(weights).hexdigest(),
        "weights_bytes": len(weights),
        "about": about or {},
    }
    settings[_CHECKSUM] = settings_checksum(settings)
    text = json.dumps(settings, indent=1, allow_nan=False) + "\n"
    # The settings, whose block is the outer one, are renamed last. They name the weights' checksum,
    # so a folder between the two renames is recognised as damaged, never misread. Another process
    # that saved its own in between must not leave a pair of both.
    for _ in range(_MOST_TRIES):
        with atomic_path(folder / SETTINGS) as described, atomic_path(folder / WEIGHTS) as packed:
            described.write_text(text, encoding="utf-8")
            packed.write_bytes(weights)
        if (folder / WEIGHTS).read_bytes() == weights:
            break


def check_model_folder(folder: str | os.PathLike[str]) -> None:
    """Check that a model can be saved to ``folder``, before it is trained.

    Raises:
        ModelError: If it has a settings file that is no model's, a search's say.
        SettingsError: If it is a file or cannot be written.
    """
    check_output_folder(folder)
    path = Path(folder) / SETTINGS
    if path.exists() and not (Path(folder) / WEIGHTS).exists():
        raise ModelError(f"{path}: is there already, and not of a model; choose another folder")


def load_model(folder: str | os.PathLike[str], device: str = "auto") -> Any:
    """Read the estimator of a folder.

    Args:
        folder: Written by :func:`save_model`.
        device: Where its networks run.

    Raises:
        ModelError: If a file is missing, damaged or does not fit the others.
    """
    return load_described(folder, read_settings(folder), device)


def load_described(
    folder: str | os.PathLike[str], settings: dict[str, Any], device: str = "auto"
) -> Any:
    """Read the estimator of a folder whose :func:`read_settings` are known.

    A folder that another process writes to in between is found damaged, never mixed up.

    Raises:
        ModelError: If the weights are missing, damaged or do not fit the settings.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    folder = Path(folder)
    raw = read_safetensors(folder / WEIGHTS, settings.get("weights_bytes"), ModelError)
    if sha256(raw).hexdigest() != settings["weights_sha256"]:
        raise ModelError(
            f"{folder / WEIGHTS}: damaged, its checksum differs from the one in {SETTINGS}"
        )
    try:
        tensors = load(raw)
        return _rebuild(settings["model"], "", tensors, device)
    except (
        *(SafetensorError, PygNasError),
        *(TypeError, ValueError, KeyError, AttributeError, RuntimeError),
    ) as error:
        raise ModelError(f"{folder}: does not hold a model of this version: {error}") from error


def read_settings(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Return a model folder's settings.

    Raises:
        ModelError: If they are missing, damaged or of another format.
    """
    path = Path(folder) / SETTINGS
    if not path.exists():
        raise ModelError(f"{folder}: not a model folder, {SETTINGS} is missing")
    settings = read_json(path, ModelError)
    keys = {"format", "model", "weights_sha256", "about"}
    if not isinstance(settings, dict) or not keys <= set(settings):
        raise ModelError(f"{path}: needs the keys {', '.join(sorted(keys))}")
    if settings["format"] != FORMAT:
        raise ModelError(f"{path}: format {settings['format']!r}, this version reads {FORMAT}")
    if settings.get(_CHECKSUM) != settings_checksum(settings):
        raise ModelError(f"{path}: damaged or changed, its checksum differs")
    if not isinstance(settings["about"], dict) or not isinstance(settings["weights_sha256"], str):
        raise ModelError(f"{path}: about must be an object and weights_sha256 a string")
    if not isinstance(settings.get("weights_bytes", 0), int):  # 0.1 did not write it
        raise ModelError(f"{path}: weights_bytes must be a whole number")
    return settings


def settings_checksum(settings: dict[str, Any]) -> str:
    """Return the checksum of a settings file's content but for the checksum itself."""
    content = {key: value for key, value in settings.items() if key != _CHECKSUM}
    return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _describe(estimator: Any, prefix: str, tensors: dict[str, Any]) -> dict[str, Any]:
    name = type(estimator).__name__
    if name not in STORABLE:
        raise ModelError(
            f"a model of class {name} cannot be stored; one of {', '.join(STORABLE)} can"
        )
    arguments: dict[str, Any] = {}
    for key, value in estimator.get_params(deep=False).items():
        if key in _NOT_STORED:
            continue
        if hasattr(value, "get_params"):
            # The argument of a meta-estimator is a template: only its settings matter.
            arguments[key] = {"estimator": _template(value)}
        else:
            arguments[key] = _plain(value)
    own, values = estimator.get_state()
    parts = {
        key: _describe(part, f"{prefix}{key}.", tensors)
        for key, part in getattr(estimator, "fitted_parts", dict)().items()
    }
    tensors.update({prefix + key: tensor for key, tensor in own.items()})
    return {"class": name, "arguments": arguments, "values": values, "parts": parts}


def _template(estimator: Any) -> dict[str, Any]:
    name = type(estimator).__name__
    if name not in STORABLE:
        raise ModelError(f"a model that contains a {name} cannot be stored")
    kept = {k: v for k, v in estimator.get_params(deep=False).items() if k not in _NOT_STORED}
    return {"class": name, "arguments": {key: _plain(value) for key, value in kept.items()}}


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, tuple):
        return list(value)
    return value


def _rebuild(description: Any, prefix: str, tensors: dict[str, Any], device: str) -> Any:
    if not isinstance(description, dict):
        raise SettingsError(f"a model must be a JSON object, got {description!r}")
    estimator = _instantiate(description, device)
    own = {key[len(prefix) :]: tensor for key, tensor in tensors.items() if key.startswith(prefix)}
    parts = description.get("parts", {})
    if not isinstance(parts, dict):
        raise SettingsError(f"a model's parts must be a JSON object, got {parts!r}")
    if parts:
        estimator.set_fitted_parts(
            {key: _rebuild(part, f"{prefix}{key}.", tensors, device) for key, part in parts.items()}
        )
        own = {
            key: tensor
            for key, tensor in own.items()
            if not any(key.startswith(f"{part}.") for part in parts)
        }
    values = description.get("values")
    if not isinstance(values, dict):
        raise SettingsError(f"fitted values must be a JSON object, got {values!r}")
    estimator.set_state(own, values)
    return estimator


def _instantiate(description: Any, device: str) -> Any:
    name = description.get("class") if isinstance(description, dict) else None
    arguments = description.get("arguments") if isinstance(description, dict) else None
    if not isinstance(name, str) or name not in STORABLE or not isinstance(arguments, dict):
        raise SettingsError(
            f"class {name!r} must be one of {', '.join(STORABLE)}, with its arguments"
        )
    cls = getattr(importlib.import_module(STORABLE[name]), name)
    known = set(cls._get_param_names())
    odd = set(arguments) ^ (known - set(_NOT_STORED))
    if odd:
        raise SettingsError(f"{name}: unknown or missing arguments {', '.join(sorted(odd))}")
    built = {
        key: _instantiate(value["estimator"], device)
        if isinstance(value, dict) and set(value) == {"estimator"}
        else value
        for key, value in arguments.items()
    }
    if "device" in known:
        built["device"] = device
    estimator = cls(**built)
    estimator._check_settings()
    return estimator
