"""Numbers of NumPy as those of Python, which JSON needs."""

from __future__ import annotations

from typing import Any

import numpy as np


def plain_scalar(value: Any) -> Any:
    """Return a scalar of NumPy as that of Python, and any other value as it is."""
    return value.item() if isinstance(value, np.generic) else value
