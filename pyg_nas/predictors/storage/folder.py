"""A fitted estimator as a folder: ``settings.json`` and ``weights.safetensors``, nothing pickled.

``settings.json`` has the estimator's name, constructor arguments and fitted values, the
checksum of the weights, ``about``: the protocol, recipe and training cells, and a checksum of
all that. What is stored of an estimator is its ``fitted_state``
(:mod:`pyg_nas.predictors.storage.state`); estimators inside an estimator are stored in the same way
under their attribute's name.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyg_nas.errors import ModelError, PygNasError, SettingsError, listed, quoted
from pyg_nas.io.files import atomic_path, check_output, check_output_folder
from pyg_nas.io.formats.json_reader import read_json, read_object
from pyg_nas.io.formats.safetensors_file import read_safetensors
from pyg_nas.io.plain_scalar import plain_scalar
from pyg_nas.predictors.storage.registry import registered_class, registered_name
from pyg_nas.predictors.storage.state import read_parts, read_state, write_state
from pyg_nas.predictors.validation import check_parameters

if TYPE_CHECKING:
    from torch import Tensor

SETTINGS = "settings.json"
WEIGHTS = "weights.safetensors"
FORMAT = 3
_FORMATS = (2, FORMAT)

# Arguments for running, without an effect on the fitted state.
_NOT_STORED = ("progress", "device", "backend")
# Arguments that folders of earlier versions lack, and what these versions did.
_ADDED = {"accuracies": False}
_CHECKSUM = "settings_sha256"
_TEMPLATE = "estimator"  # the only key in place of an argument that is an estimator
_PAIRS = "pairs"  # and of a dictionary whose keys are not texts, as all keys of JSON are
_MOST_TRIES = 10

# Errors of settings that were written by hand.
_UNFIT = (TypeError, ValueError, KeyError, AttributeError, RuntimeError)


def save_model(
    estimator: Any, folder: str | os.PathLike[str], about: dict[str, Any] | None = None
) -> None:
    """Write a fitted estimator to ``folder``.

    Both files are on the disk before they replace an earlier model's. A process that is killed
    between the two replacements leaves a folder that is refused on reading.

    Args:
        estimator: A fitted estimator of a registered class
            (:func:`~pyg_nas.predictors.storage.registry.register_estimator`).
        folder: Created if missing; an earlier model in it is replaced.
        about: JSON values that are stored with the model.

    Raises:
        ModelError: If the class cannot be stored, the fitted attributes are not those that it
            declares, ``about`` is not of JSON values, or ``folder`` contains something else.
        SettingsError: If ``folder`` cannot be written.
    """
    from safetensors.torch import save

    check_model_folder(folder)
    folder = Path(folder)
    tensors: dict[str, Any] = {}
    description = _readable(estimator, tensors)
    weights = save(tensors)
    settings = {"format": FORMAT, "model": description, "about": about or {}}
    try:
        text = settings_text(settings, weights)
    except (TypeError, ValueError) as error:
        raise ModelError(f"about must be of JSON values: {error}") from None
    # The settings, whose block is the outer one, are renamed last. They name the weights' checksum,
    # so a folder between the two renames is recognised as damaged, never misread. Another process
    # that saved its own in between must not leave a pair of both.
    for _ in range(_MOST_TRIES):
        with atomic_path(folder / SETTINGS) as described, atomic_path(folder / WEIGHTS) as packed:
            described.write_text(text, encoding="utf-8")
            packed.write_bytes(weights)
        if (folder / WEIGHTS).read_bytes() == weights:
            break


def settings_text(settings: dict[str, Any], weights: bytes) -> str:
    """Return the text of a settings file, with checksums of the weights and of the settings."""
    sealed = {
        **settings,
        "weights_sha256": sha256(weights).hexdigest(),
        "weights_bytes": len(weights),
    }
    sealed[_CHECKSUM] = settings_checksum(sealed)
    return json.dumps(sealed, indent=1, allow_nan=False) + "\n"


def _readable(estimator: Any, tensors: dict[str, Any]) -> dict[str, Any]:
    """Return the description of an estimator that :func:`load_model` will read, and add tensors."""
    check_storable(estimator)
    try:
        description = _describe(estimator, "", tensors)
        _rebuild(
            json.loads(json.dumps(description, allow_nan=False)), "", tensors, "cpu", None, False
        )
    except (PygNasError, *_UNFIT) as error:
        raise ModelError(f"{type(estimator).__name__} cannot be stored: {error}") from error
    return description


def check_model_folder(folder: str | os.PathLike[str]) -> bool:
    """Check that a model can be saved to ``folder``, before it is trained.

    Returns:
        Whether there is a model in it, which will be replaced.

    Raises:
        ModelError: If it has a settings file of something else, for example of a search or of a
            trained network.
        SettingsError: If it is a file or cannot be written.
    """
    check_output_folder(folder)
    path, weights = Path(folder) / SETTINGS, Path(folder) / WEIGHTS
    for file in (path, weights):
        check_output(file)
    if path.exists() and not (weights.exists() and _may_be_of_model(path)):
        raise ModelError(f"{path}: exists and is not of a model; choose another folder")
    return path.exists()


def _may_be_of_model(settings: Path) -> bool:
    """Whether a settings file is of a model, or damaged."""
    try:
        return "model" in read_object(settings)
    except SettingsError:
        return True


def load_model(folder: str | os.PathLike[str], device: str = "auto") -> Any:
    """Read the estimator of a folder.

    Raises:
        ModelError: If a file is missing, damaged or does not fit the others.
    """
    return load_described(folder, read_settings(folder), device)


def load_described(
    folder: str | os.PathLike[str], settings: dict[str, Any], device: str = "auto"
) -> Any:
    """Read the estimator of a folder whose :func:`read_settings` are known.

    If another process writes to the folder in between, the folder is refused as damaged.

    Raises:
        ModelError: If the weights are missing, damaged or do not fit the settings.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    folder = Path(folder)
    training_cells = settings["about"].get("training_cells")
    most_cells = len(training_cells) if isinstance(training_cells, list) else None

    def rebuild(tensors: dict[str, Any], shapes_only: bool) -> Any:
        try:
            return _rebuild(settings["model"], "", tensors, device, most_cells, shapes_only)
        except (PygNasError, *_UNFIT) as error:
            raise ModelError(
                f"{folder}: cannot be read as a model of this version: {error}"
            ) from error

    raw = read_weights(folder, settings, lambda zeros: rebuild(zeros, True))
    try:
        tensors = load(raw)
    except SafetensorError as error:
        raise ModelError(f"{folder / WEIGHTS}: not a readable weights file ({error})") from None
    return rebuild(tensors, False)


def read_weights(
    folder: Path, settings: dict[str, Any], check: Callable[[dict[str, Tensor]], None]
) -> bytes:
    """Return the content of a folder's weights file.

    Args:
        folder: The folder.
        settings: With the size and the checksum of the file.
        check: As that of :func:`~pyg_nas.io.formats.safetensors_file.read_safetensors`.

    Raises:
        ModelError: If the file is missing, damaged or not that of the settings.
    """
    path = folder / WEIGHTS
    raw = read_safetensors(path, settings.get("weights_bytes"), ModelError, check)
    if sha256(raw).hexdigest() != settings["weights_sha256"]:
        raise ModelError(f"{path}: damaged, its checksum differs from the one in {SETTINGS}")
    return raw


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
        needed = ", ".join(sorted(keys))
        raise ModelError(f"{folder}: not a model folder, {SETTINGS} needs the keys {needed}")
    if settings["format"] not in _FORMATS:
        raise ModelError(f"{path}: format {settings['format']!r}, this version reads {_FORMATS}")
    if settings.get(_CHECKSUM) != settings_checksum(settings):
        raise ModelError(f"{path}: damaged or changed, its checksum differs")
    if not isinstance(settings["about"], dict) or not isinstance(settings["weights_sha256"], str):
        raise ModelError(f"{path}: about must be an object and weights_sha256 a string")
    if not isinstance(settings.get("weights_bytes", 0), int):  # 0.1 did not write it
        raise ModelError(f"{path}: weights_bytes must be a whole number")
    if settings["format"] == 2:
        settings["model"] = _from_format_2(settings["model"])
    return settings


_EXPORTABLE = ("GCNRegressor", "TwoStageRegressor")


def check_exportable(description: Any, folder: str | os.PathLike[str]) -> None:
    """Check that :func:`~pyg_nas.predictors.storage.export.export_model` takes a stored estimator.

    Args:
        description: The ``model`` of a folder's :func:`read_settings`.
        folder: The folder, for the error.

    Raises:
        ModelError: If its class, or that of a part, has no exported form.
    """
    name = description.get("class") if isinstance(description, dict) else None
    if isinstance(name, str) and name not in _EXPORTABLE:
        raise ModelError(
            f"{folder}: a model of class {name} cannot be exported; models of the recipes paper "
            f"and two-stage can"
        )


def settings_checksum(settings: dict[str, Any]) -> str:
    """Return the checksum of a settings file's content without the checksum itself."""
    content = {key: value for key, value in settings.items() if key != _CHECKSUM}
    return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


# Names of format 2 (pyg_nas 0.1) and what they are called now.
_RENAMED = {
    "BestRegressor": "HybridRegressor",
    "prior": "transfer",
    "knowledge": "extra_features",
    "statistics_version": "feature_version",
    "members": "num_members",
}
_RENAMED_KEYS = ("arguments", "values", "knowledge")


def _from_format_2(description: Any, inside: str = "") -> Any:
    """A description with today's names of classes, arguments, values and groups of features."""
    if isinstance(description, dict):
        return {
            (_RENAMED.get(key, key) if inside in _RENAMED_KEYS else key): _from_format_2(value, key)
            for key, value in description.items()
        }
    if isinstance(description, list):
        return [_from_format_2(value, inside) for value in description]
    renamed = inside in ("class", "groups") and isinstance(description, str)
    return _RENAMED.get(description, description) if renamed else description


def _describe(estimator: Any, prefix: str, tensors: dict[str, Any]) -> dict[str, Any]:
    described = _template(estimator)
    own, values = read_state(estimator)
    parts = {
        key: _describe(part, f"{prefix}{key}.", tensors)
        for key, part in read_parts(estimator).items()
    }
    tensors.update({prefix + key: tensor for key, tensor in own.items()})
    return {**described, "values": values, "parts": parts}


def check_storable(estimator: Any) -> None:
    """Check that an estimator can be saved, before it is fitted.

    Raises:
        ModelError: If its class, or that of an estimator among its arguments, is not registered.
    """
    _template(estimator)


def _template(estimator: Any) -> dict[str, Any]:
    name = registered_name(estimator)
    arguments = {
        # The argument of a meta-estimator is a template: only its settings matter.
        key: {_TEMPLATE: _template(value)} if hasattr(value, "get_params") else _plain(value)
        for key, value in estimator.get_params(deep=False).items()
        if key not in _NOT_STORED
    }
    return {"class": name, "arguments": arguments}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, dict):
        pairs = [[_plain(key), _plain(part)] for key, part in value.items()]
        return dict(pairs) if all(isinstance(key, str) for key in value) else {_PAIRS: pairs}
    return plain_scalar(value)


def _argument(value: Any, device: str) -> Any:
    if isinstance(value, dict) and set(value) == {_TEMPLATE}:
        return _instantiate(value[_TEMPLATE], device)
    if isinstance(value, dict) and set(value) == {_PAIRS}:
        return dict(value[_PAIRS])
    return value


def _rebuild(
    description: Any,
    prefix: str,
    tensors: dict[str, Any],
    device: str,
    most_cells: int | None,
    shapes_only: bool,
) -> Any:
    if not isinstance(description, dict):
        raise SettingsError(f"a model must be a JSON object, got {quoted(description)}")
    estimator = _instantiate(description, device)
    parts: Any = description.get("parts", {})
    values: Any = description.get("values")
    for name, found in (("parts", parts), ("fitted values", values)):
        if not isinstance(found, dict):
            raise SettingsError(f"a model's {name} must be a JSON object, got {quoted(found)}")
    own = {
        key[len(prefix) :]: tensor
        for key, tensor in tensors.items()
        if key.startswith(prefix) and not key.startswith(tuple(f"{prefix}{p}." for p in parts))
    }
    inside = {
        key: _rebuild(part, f"{prefix}{key}.", tensors, device, most_cells, shapes_only)
        for key, part in parts.items()
    }
    write_state(estimator, own, values, inside, most_cells, shapes_only)
    return estimator


def _instantiate(description: Any, device: str) -> Any:
    name = description.get("class") if isinstance(description, dict) else None
    arguments = description.get("arguments") if isinstance(description, dict) else None
    if not isinstance(name, str) or not isinstance(arguments, dict):
        raise SettingsError(f"a model must name its class and its arguments, got {quoted(name)}")
    cls: Any = registered_class(name)
    known = set(cls._get_param_names())
    later = {key: value for key, value in _ADDED.items() if key in known}
    arguments = {**later, **arguments}
    odd = set(arguments) ^ (known - set(_NOT_STORED))
    if odd:
        raise SettingsError(f"{name}: unknown or missing arguments {listed(sorted(odd))}")
    built = {key: _argument(value, device) for key, value in arguments.items()}
    if "device" in known:
        built["device"] = device
    estimator = cls(**built)
    check_parameters(estimator)
    return estimator
