"""Decorators that skip a test if the machine lacks a device or package."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, TypeVar

import pytest

Test = TypeVar("Test", bound=Callable[..., Any])


def needs_cuda(test: Test) -> Test:
    """Mark a test as ``cuda``, and skip it if torch finds no CUDA device."""
    import torch

    skip = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
    marked: Test = pytest.mark.cuda(skip(test))
    return marked


def needs_package(*names: str) -> Callable[[Test], Test]:
    """Return a decorator that skips a test unless all packages of these import names exist."""
    missing = [name for name in names if find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")
