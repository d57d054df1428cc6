"""Versions of predictors: results of another version are not mixed with those of this one."""

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
    """Return a digest of a predictor's settings and of its :func:`class_version`."""
    cls = type(estimator)
    settings = {
        name: type(value).__name__
        if hasattr(value, "get_params")
        else _ADDRESS.sub("", repr(value))
        for name, value in estimator.get_params(deep=True).items()
    }
    described = json.dumps(
        [cls.__module__, cls.__qualname__, settings, class_version(cls)], sort_keys=True
    )
    return sha256(described.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def class_version(cls: type) -> str:
    """Return the version of this package for its own classes, and for a user's the source.

    The source is that of the class's file; empty for a class of a notebook.
    """
    if cls.__module__.split(".")[0] == "pyg_nas":
        return __version__
    try:
        return Path(inspect.getfile(cls)).read_text(encoding="utf-8", errors="replace")
    except (OSError, TypeError):
        return ""
