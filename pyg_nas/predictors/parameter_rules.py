"""Rules of the estimators' constructor arguments; they import no torch, unlike some estimators.

So a value in a settings file is checked before torch is imported.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pyg_nas.errors import SettingsError, quoted
from pyg_nas.io.limits import MOST_CHANNELS, MOST_EPOCHS, MOST_LAYERS, MOST_MEMBERS, MOST_SEED

ParameterRule = Callable[[str, Any], None]
"""Checks the value of a named setting; raises ``SettingsError``."""


def whole(least: int | None = None, optional: bool = False, most: int = MOST_SEED) -> ParameterRule:
    """Return the rule "a whole number from ``least`` to ``most``", or None if ``optional``."""

    def small(value: int | None) -> bool:
        return value is None or value <= most

    return where(_number(whole=True, least=least, optional=optional), small, f"at most {most}")


def real(least: float | None = None, optional: bool = False) -> ParameterRule:
    """Return the rule "a finite number, at least ``least``", or None if ``optional``."""
    return _number(whole=False, least=least, optional=optional)


def where(base: ParameterRule, holds: Callable[[Any], bool], text: str) -> ParameterRule:
    """Return a rule whose values pass ``base`` and for which ``holds`` is true.

    Args:
        base: Checked first.
        holds: Whether a value is valid.
        text: The rule in words, for the message.
    """

    def check(name: str, value: Any) -> None:
        base(name, value)
        if not holds(value):
            raise SettingsError(f"{name} must be {text}, got {quoted(value)}")

    return check


def one_of(*values: str) -> ParameterRule:
    """Return the rule "one of these strings"."""
    text = f"{', '.join(values[:-1])} or {values[-1]}"
    return where(anything, lambda value: isinstance(value, str) and value in values, text)


def anything(name: str, value: Any) -> None:
    """Rule of any value, for :func:`where`."""


def _number(*, whole: bool, least: float | None, optional: bool) -> ParameterRule:
    kinds = (int, np.integer) if whole else (int, float, np.integer, np.floating)
    text = "a whole number" if whole else "a finite number"
    bound = "" if least is None else f" >= {least}"

    def check(name: str, value: Any) -> None:
        if optional and value is None:
            return
        valid = isinstance(value, kinds) and not isinstance(value, bool) and _is_finite(value)
        if not valid or (least is not None and value < least):
            raise SettingsError(f"{name} must be {text}{bound}, got {quoted(value)}")

    return check


def _is_finite(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that no float can be
        return False


FLAG = where(anything, lambda value: isinstance(value, (bool, np.bool_)), "true or false")
SHARE = where(real(), lambda value: 0 <= value <= 1, "0 to 1")
DROPOUT = where(real(), lambda value: 0 <= value < 1, "at least 0 and below 1")

DEPTH = whole(least=1, most=MOST_LAYERS)
"""Number of layers of a network, limited because a file may name any number."""

EPOCHS = whole(least=1, most=MOST_EPOCHS)
"""Passes over the training cells, limited because the loss of each is stored."""

EPOCHS_OR_RULE = whole(least=1, optional=True, most=MOST_EPOCHS)
"""The same, or None for a predictor's own rule."""

WIDTH = whole(least=1, most=MOST_CHANNELS)

WIDTH_OR_RULE = whole(least=1, optional=True, most=MOST_CHANNELS)
"""The same, or None for a predictor's own rule."""

MEMBERS = whole(least=1, most=MOST_MEMBERS)

SEED = whole(least=0)

GCN_RULES: Mapping[str, ParameterRule] = {
    "ensemble_size": MEMBERS,
    "batch_size": whole(least=1),
    "head": WIDTH,
    "epochs": EPOCHS,
    "depth": DEPTH,
    "hidden": WIDTH_OR_RULE,
    "random_state": SEED,
    "learning_rate": real(least=0),
    "weight_decay": real(least=0),
    "dropout": DROPOUT,
    "backend": one_of("auto", "dense", "sparse"),
}
"""Of both GCN estimators."""


_WEIGHT = real(least=0)


def _class_weight(name: str, value: Any) -> None:
    if isinstance(value, dict):
        for label, weight in value.items():
            _WEIGHT(f"{name} of {quoted(label)}", weight)
    elif value is not None and not (isinstance(value, str) and value == "balanced"):
        raise SettingsError(
            f"{name} must be None, balanced or a weight for each class, got {quoted(value)}"
        )


GCN_CLASSIFIER_RULES: Mapping[str, ParameterRule] = {
    **GCN_RULES,
    "class_weight": _class_weight,
}

GCN_REGRESSOR_RULES: Mapping[str, ParameterRule] = {
    **GCN_RULES,
    "target_mean": real(optional=True),
    "target_std": real(least=float(np.finfo(float).tiny), optional=True),
}

TWO_STAGE_RULES: Mapping[str, ParameterRule] = {
    "quantile": where(real(), lambda value: 0 < value < 1, "between 0 and 1"),
    "calibration_folds": where(whole(least=0), lambda value: value != 1, "0 or at least 2"),
    "threshold": real(optional=True),
    "random_state": SEED,
}

HYBRID_RULES: Mapping[str, ParameterRule] = {
    "ensemble_size": whole(least=0, most=MOST_MEMBERS),
    "network_share": SHARE,
    "hidden": WIDTH_OR_RULE,
    "epochs": EPOCHS_OR_RULE,
    "learning_rate": real(least=0),
    "transfer": FLAG,
    "accuracies": FLAG,
    "random_state": SEED,
}

TRANSFER_RULES: Mapping[str, ParameterRule] = {
    **HYBRID_RULES,
    "transfer": where(anything, lambda value: not value, "False in TransferRegressor"),
    "falls_with_accuracy": FLAG,
}

NETWORKS_RULES: Mapping[str, ParameterRule] = {
    "method": one_of("gp", "boosted-trees", "random-forest"),
    "random_state": SEED,
}

LATENCY_RULES: Mapping[str, ParameterRule] = {
    "folds": whole(least=2),
    "random_state": SEED,
    "compiled": FLAG,
}
