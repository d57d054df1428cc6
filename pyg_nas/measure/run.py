"""What a training run yields."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reading:
    """What is read from one run at one point.

    Args:
        wall_seconds: Seconds of training up to here, without judging. Runs that were trained side
            by side share the time equally.
        cpu_seconds: The same in processor seconds of the process, all threads together.
        train_accuracy: Fraction of the judged training images that is classified correctly.
        validation_accuracy: The same of the validation images.
        test_accuracy: The same of the test images.
    """

    wall_seconds: float
    cpu_seconds: float
    train_accuracy: float
    validation_accuracy: float
    test_accuracy: float


@dataclass(frozen=True)
class Run:
    """One finished training run.

    Args:
        budget: Epochs.
        seed: Seed of the run.
        halfway: Reading after half of the steps.
        end: Reading after all steps.
    """

    budget: int
    seed: int
    halfway: Reading
    end: Reading
