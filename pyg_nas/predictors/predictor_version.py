"""Versions of predictors, whose results are not mixed."""

from __future__ import annotations

import inspect
import json
import re
from hashlib import sha256
from pathlib import Path
from typing import Any

from pyg_nas.version import __version__

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def predictor_version(estimator: Any) -> str:
    """Return a digest of a predictor's class and settings, and of its :func:`code_version`."""
    cls = type(estimator)
    settings = {
        name: type(value).__name__
        if hasattr(value, "get_params")
        else _ADDRESS.sub("", repr(value))
        for name, value in estimator.get_params(deep=True).items()
    }
    described = json.dumps(
        [cls.__module__, cls.__qualname__, settings, code_version(estimator)], sort_keys=True
    )
    return sha256(described.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def code_version(estimator: Any) -> str:
    """Return the version of the code of an estimator and of the estimators within it.

    It is the version of this package for its own classes, and for other classes the text of their
    file, which is empty for a class of a notebook.
    """
    within = estimator.get_params(deep=True).values()
    estimators = [estimator, *(value for value in within if hasattr(value, "get_params"))]
    classes = dict.fromkeys(one if isinstance(one, type) else type(one) for one in estimators)
    return "\n".join(dict.fromkeys(map(_class_version, classes)))


def _class_version(cls: type) -> str:
    if cls.__module__.split(".")[0] == "pyg_nas":
        return __version__
    try:
        return Path(inspect.getfile(cls)).read_text(encoding="utf-8", errors="replace")
    except (OSError, TypeError):
        return ""
