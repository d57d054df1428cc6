"""How the progress of training is reported."""

from __future__ import annotations

from collections.abc import Callable

OnEpoch = Callable[[int, float], None]
"""Called after each epoch with its number, from 1, and the members' mean training loss."""
