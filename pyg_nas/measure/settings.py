"""Training settings of cells, and settings of profiles."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Annotated, Any

from annotated_types import Ge, Gt, Interval, Predicate
from pydantic import FiniteFloat, NonNegativeInt, PositiveInt

from pyg_nas.errors import SettingsError, quoted
from pyg_nas.io.formats.json_reader import read_json
from pyg_nas.io.limits import MOST_BATCH, MOST_CHANNELS, MOST_LAYERS
from pyg_nas.io.record import Rule, check_fields
from pyg_nas.measure.training.augmentation import Augmentation

OPTIMIZERS = ("sgd", "rmsprop")
IMAGE_FITS = ("stretch", "pad", "crop")

_NEW = (
    "stem_stride", "balanced", "huber_loss", "whole_epochs", "held_out", "image_fit", "metric",
)  # fmt: skip
"""Left out of a description if they have the default values, as in version 0.1, so that
fingerprints of tasks do not change."""


Count = Annotated[PositiveInt, Rule("a whole number >= 1")]
Flag = Annotated[bool, Rule("true or false")]
Share = Annotated[float, Interval(ge=0, lt=1), Rule("from 0 to below 1")]


def _one_of(values: tuple[str, ...]) -> Rule:
    return Rule(f"one of {', '.join(values)}")


def _is_power_of_two(value: int) -> bool:
    return value & (value - 1) == 0


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
        batch_norm_momentum: Share of the running statistics that is retained at every step.
        augmentation: Random changes of training images.
        stem_stride: Number by which the stem divides height and width: 1, 2, 4, 8, ...
        balanced: Whether classes count equally: in the loss by weights, and accuracies are the mean
            over classes of the share of their images that is classified correctly.
        huber_loss: Whether numbers are learned by Huber's loss, which grows linearly from an error
            of one standard deviation of the labels on, and otherwise by the squared error, with
            which many cells diverge.
        whole_epochs: Whether every training image is used in every epoch: images drawn at random
            fill the last batch, which is dropped otherwise.
        held_out: Share of the images for validation, and the same again for testing, where the
            images are not divided already.
        image_fit: How images are resized to one size: ``"stretch"``, ``"pad"`` with black, or
            ``"crop"``; the latter two keep the aspect ratio.
        metric: ``module:function`` or ``file.py:function`` of (labels ``[N]``, predictions
            ``[N]``) that replaces accuracy, larger is better; empty for accuracy.

    Raises:
        SettingsError: If a value is outside its rule.
    """

    stem_channels: Count = 128
    num_stacks: Count = 3
    modules_per_stack: Count = 3
    batch_size: Count = 256
    optimizer: Annotated[str, Predicate(OPTIMIZERS.__contains__), _one_of(OPTIMIZERS)] = "rmsprop"
    learning_rate: Annotated[FiniteFloat, Gt(0), Rule("above 0")] = 0.2
    warmup: Share = 0.0
    momentum: Share = 0.9
    weight_decay: Annotated[FiniteFloat, Ge(0), Rule("at least 0")] = 1e-4
    batch_norm_momentum: Share = 0.997
    augmentation: Augmentation = field(default_factory=Augmentation)
    stem_stride: Annotated[PositiveInt, Predicate(_is_power_of_two), Rule("a power of two")] = 1
    balanced: Flag = False
    huber_loss: Flag = False
    whole_epochs: Flag = False
    held_out: Annotated[float, Interval(gt=0, lt=0.5), Rule("above 0 and below 0.5")] = 0.2
    image_fit: Annotated[str, Predicate(IMAGE_FITS.__contains__), _one_of(IMAGE_FITS)] = "stretch"
    metric: Annotated[str, Rule("text")] = ""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.batch_size > MOST_BATCH:
            raise SettingsError(f"batch_size must be at most {MOST_BATCH:,}, got {self.batch_size}")
        if self.num_stacks > MOST_LAYERS or self.num_stacks * self.modules_per_stack > MOST_LAYERS:
            raise SettingsError(
                f"num_stacks and modules_per_stack must be at most {MOST_LAYERS:,} cells together, "
                f"got {self.num_stacks} and {self.modules_per_stack}"
            )
        widest = self.stem_channels * 2 ** (self.num_stacks - 1)
        if widest > MOST_CHANNELS:
            raise SettingsError(
                f"stem_channels, doubled by every stack after the first, must be at most "
                f"{MOST_CHANNELS:,}, got {self.stem_channels} and num_stacks {self.num_stacks}"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        usual = TrainingSettings()
        return {
            name: value
            for name, value in asdict(self).items()
            if name not in _NEW or value != getattr(usual, name)
        }

    @staticmethod
    def all_values(description: dict[str, Any]) -> dict[str, Any]:
        """Return a description of :meth:`to_dict` with the values that it leaves out."""
        usual = TrainingSettings()
        return {**{name: getattr(usual, name) for name in _NEW}, **description}

    def changed(self, changes: Any, source: str = "settings") -> TrainingSettings:
        """Return these settings with some values replaced.

        Args:
            changes: Values by name; ``augmentation`` is an object of the same kind.
            source: Where they come from, for the message.

        Raises:
            SettingsError: If a name is unknown, or a value is of the wrong type or outside its
                rule.
        """
        changes = _checked(self, changes, source)
        try:
            if "augmentation" in changes:
                inner = _checked(self.augmentation, changes["augmentation"], "augmentation")
                changes["augmentation"] = replace(self.augmentation, **inner)
            return replace(self, **changes)
        except SettingsError as error:
            raise SettingsError(f"{source}: {error}") from None

    def changed_by_file(self, path: str | os.PathLike[str]) -> TrainingSettings:
        """Return these settings with the values of a JSON file in place of some.

        Raises:
            SettingsError: If the file is unreadable, or see :meth:`changed`.
        """
        return self.changed(read_json(path), str(path))


def _checked(base: TrainingSettings | Augmentation, changes: Any, source: str) -> dict[str, Any]:
    """Returns a copy of the changes if each name is known and each value of the type it had."""
    if not isinstance(changes, dict):
        raise SettingsError(f"{source}: must be a JSON object, got {quoted(changes)}")
    known = {f.name: getattr(base, f.name) for f in fields(base)}
    for name, value in changes.items():
        if name not in known:
            raise SettingsError(
                f"{source}: unknown name {quoted(name)}, known are {', '.join(known)}"
            )
        kind = type(known[name])
        accepted: Any = {float: (float, int), Augmentation: dict}.get(kind, kind)
        if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
            raise SettingsError(
                f"{source}: {name} must be of the type of {known[name]!r}, got {quoted(value)}"
            )
    return dict(changes)


@dataclass(frozen=True)
class ProfileSettings:
    """Settings of the measurement of networks.

    Args:
        device: ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.
        threads: Threads of a pass on the CPU, pinned to as many cores where the system allows it.
        warm_up: Passes before the first that is measured.
        repeats: Passes that are measured.
        most_noise: Largest interquartile range of the passes, as a fraction of their median, and
            largest drift of the reference network; a noisier measurement is not recorded.
        retries: How often a noisier network is measured again, after all others.

    Raises:
        SettingsError: If a value breaks its rule.
    """

    device: str = "cpu"
    threads: Count = 1
    warm_up: Annotated[NonNegativeInt, Rule("a whole number >= 0")] = 3
    repeats: Count = 25
    most_noise: Annotated[FiniteFloat, Gt(0), Rule("a number above 0")] = 0.1
    retries: Annotated[NonNegativeInt, Rule("a whole number >= 0")] = 3

    def __post_init__(self) -> None:
        check_fields(self, "profile")
