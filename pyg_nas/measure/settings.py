"""How a cell is trained: everything beside the data that changes a measured accuracy."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from pyg_nas.errors import SettingsError
from pyg_nas.measure.augmentation import Augmentation

OPTIMIZERS = ("sgd", "rmsprop")


@dataclass(frozen=True)
class TrainingSettings:
    """Network size, optimizer and augmentation of a task.

    The learning rate rises linearly for ``warmup`` of all steps and then falls to 0 along half a
    cosine; the last, partial batch of an epoch is dropped. The defaults are those of NAS-Bench-101
    (arXiv:1902.09635, released code).

    Args:
        stem_channels: Channels of the stem and of the first stack.
        num_stacks: Number of stacks of cells.
        modules_per_stack: Cells in each stack.
        batch_size: Images in a batch.
        optimizer: ``"sgd"`` (Nesterov momentum) or ``"rmsprop"``.
        learning_rate: Highest learning rate.
        warmup: Fraction of all steps during which the learning rate rises, 0 to 1.
        momentum: Momentum of either optimizer.
        weight_decay: L2 penalty on all parameters.
        batch_norm_momentum: Share of the running statistics kept at every step.
        augmentation: What is done to each training image each time it is seen.

    Raises:
        SettingsError: If a value is outside its rule.
    """

    stem_channels: int = 128
    num_stacks: int = 3
    modules_per_stack: int = 3
    batch_size: int = 256
    optimizer: str = "rmsprop"
    learning_rate: float = 0.2
    warmup: float = 0.0
    momentum: float = 0.9
    weight_decay: float = 1e-4
    batch_norm_momentum: float = 0.997
    augmentation: Augmentation = Augmentation()

    def __post_init__(self) -> None:
        for name in ("stem_channels", "num_stacks", "modules_per_stack", "batch_size"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise SettingsError(f"{name} must be a whole number >= 1, got {value!r}")
        if self.optimizer not in OPTIMIZERS:
            raise SettingsError(
                f"optimizer must be one of {', '.join(OPTIMIZERS)}, got {self.optimizer!r}"
            )
        rules = {
            "learning_rate": ("above 0", lambda v: v > 0),
            "warmup": ("from 0 to below 1", lambda v: 0 <= v < 1),
            "momentum": ("from 0 to below 1", lambda v: 0 <= v < 1),
            "weight_decay": ("at least 0", lambda v: v >= 0),
            "batch_norm_momentum": ("from 0 to below 1", lambda v: 0 <= v < 1),
        }
        for name, (rule, holds) in rules.items():
            value = getattr(self, name)
            if not holds(value):
                raise SettingsError(f"{name} must be {rule}, got {value!r}")

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        return asdict(self)

    def __str__(self) -> str:
        return ", ".join(f"{field.name} {getattr(self, field.name)}" for field in fields(self))
