"""Results of a training run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reading:
    """The metrics of one run at one moment.

    Args:
        wall_seconds: Seconds of training so far, without evaluation. Runs that were trained side
            by side share the time equally.
        cpu_seconds: The same in processor seconds of the process, all threads together.
        train_accuracy: Fraction of the evaluated training images that is classified correctly.
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
