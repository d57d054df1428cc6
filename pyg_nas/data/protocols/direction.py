"""Whether more or less of a label is better, which only the name of its metric says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

UNIT_SPELLINGS = {
    spelling: unit
    for unit in ("s", "ms", "us", "ns", "J", "mJ", "W", "mW", "bytes", "kB", "MB", "GB")
    for spelling in (unit, unit.lower())  # no capitals alone: MJ and MW are other units
}
"""Units of costs by their spellings in names, as they are or in small letters."""
SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
"""Seconds of each unit of time."""

# Rates of these are gains: more of them in a second, but not in a cell.
_WORK = {
    *("operations", "ops", "flop", "flops", "mflops", "gflops"),
    *("mac", "macs", "mmacs", "gmacs", "madds"),
}
_AMOUNTS = _WORK | {"bytes", "kb", "mb", "gb"}
_LOSSES = {
    *("loss", "losses", "logloss", "error", "errors", "err", "perplexity", "ppl", "nll", "regret"),
    *("mse", "rmse", "rmsle", "mae", "mape", "wer", "cer", "eer", "per", "fid", "ece", "brier"),
    *("fpr", "fnr", "std", "drop", "gap"),
}
_RESOURCES = _WORK | {
    *("time", "times", "runtime", "walltime", "duration", "delay", "latency", "latencies", "lat"),
    *("seconds", "secs", "sec", "milliseconds", "msec", "microseconds"),
    *("minutes", "hours", "days", "cycles"),
    *("energy", "joules", "power", "watts", "carbon", "co2", "emissions"),
    *("memory", "mem", "ram", "sram", "vram", "footprint", "size"),
    *("parameters", "parameter", "params", "param"),
    *("cost", "costs", "price"),
}
_COSTS = _RESOURCES | _LOSSES
_SPEEDS = {"throughput", "fps", "speed", "speedup", "efficiency", "bandwidth"}
_GAINS = _SPEEDS | {
    *("accuracy", "accuracies", "acc", "accs", "precision", "recall", "sensitivity", "specificity"),
    *("top1", "top5", "f1", "auc", "auroc", "auprc", "ap", "map", "iou", "miou", "dice"),
    *("kappa", "mcc", "r2", "psnr", "ssim", "bleu", "rouge", "correlation", "likelihood"),
    *("gain", "gains", "improvement", "savings"),
}
_IN_UNITS = {unit.lower() for unit in UNIT_SPELLINGS if len(unit) > 1}  # s may stand for small
_SINGULARS = {"s", "sec", "second", "minute", "hour", "joule", "watt", "j", "w"}
_PER_UNIT = _SINGULARS | _IN_UNITS
_OF_RATES = (_PER_UNIT | _COSTS) - {"time"}  # train_per_time is the time of an epoch
_UNITS = "|".join(_PER_UNIT)
_SLASH = re.compile(rf"(?<![^\W_])({_UNITS}) ?/|/ ?(?=(?:{_UNITS})\b)", re.IGNORECASE)  # images/s
_CONNECTORS = {"per", "to", "at", "of", "on", "for", "with", "by", "under", "in", "after"}
_REVERSED = {"neg", "negative", "minus", "inverse", "inv", "reciprocal"}
_SPLIT = "(?:(?:train|training|val|valid|validation|test)[ _])?"
_ONE_MINUS = re.compile(  # 1-auc, val_1-auc; but top-1-accuracy and 1-shot accuracy are gains
    rf"^({_SPLIT})1 ?- ?(?={_SPLIT}(?:{'|'.join(_COSTS | _GAINS)})(?![^\W_]))", re.IGNORECASE
)
_BRACKETS = re.compile(r"[(\[](.*?)[)\]]")


class Direction(NamedTuple):
    """Which labels are better.

    Args:
        larger_is_better: False for costs.
        is_certain: Whether the name leaves no doubt.
    """

    larger_is_better: bool
    is_certain: bool = True


def direction(metric: str) -> Direction:
    """Return which values of a metric are better.

    The last word that names a cost or a gain decides, of those before a word such as ``at`` or
    ``to`` if there is one: ``top1_error`` and ``time_to_accuracy`` are costs, ``accuracy_at_5ms``
    and ``accuracy (size 32)`` are not. Without one, a name that ends in a unit is a cost, as
    ``raspi4_ms`` or ``raspi4 (mJ)``, and a rate is a gain, as ``images_per_second``. Words such as
    ``neg`` and ``minus`` reverse those after them, as in scikit-learn's
    ``neg_mean_squared_error`` and in ``1-auc``. All other names are taken as gains.
    """
    # What is in brackets is a condition, unless it is the unit.
    plain = _BRACKETS.sub(
        lambda found: f" {found[1]} " if found[1] in UNIT_SPELLINGS else " ", metric
    )
    found = _of_words(_words(_SLASH.sub(r"\1 per ", _ONE_MINUS.sub(r"\1minus ", plain))))
    return found or Direction(larger_is_better=True, is_certain=False)


def falls_with_accuracy(metric: str) -> bool:
    """Return whether more accurate architectures tend to have a smaller value of a metric.

    They have a smaller loss or error, and a smaller throughput. They have more of accuracies, and
    they need more time, energy and memory.
    """
    words = set(_words(metric)) - _CONNECTORS  # per is also an error rate
    is_quality = bool(words & ((_GAINS - _SPEEDS) | _LOSSES))
    is_resource = not is_quality and bool(words & (_RESOURCES | _SPEEDS | _PER_UNIT))
    return direction(metric).larger_is_better == is_resource


def _words(name: str) -> list[str]:
    # inferenceTime, top1Error, trainMSE, but not mAP
    spaced = re.sub("(?<=[a-z0-9])(?=[A-Z][a-z])|(?<=[a-z]{2})(?=[A-Z])", " ", name)
    return [word for word in re.split(r"[\W_]+", spaced.lower()) if word]


def _of_words(words: Sequence[str]) -> Direction | None:
    """Return the direction of a name, or None if no word decides."""
    for index, word in enumerate(words[:-1]):  # a last word connects nothing
        if word in _CONNECTORS:
            head, tail = words[:index], words[index + 1 :]
            found = _of_part(head)
            if word == "per":
                if tail[0] in _PER_UNIT and _AMOUNTS.issuperset(head[-1:]):
                    return Direction(True)
                if found is None and _SINGULARS.issuperset(head[-1:]):
                    return Direction(False)
                if found is None and tail[0] in _OF_RATES:
                    return Direction(True)
            return found or _of_words(tail)
    return _of_part(words)


def _of_part(words: Sequence[str]) -> Direction | None:
    """Return the direction of words without a connector, or None if none of them decides."""
    for index, word in enumerate(words):
        if word in _REVERSED:
            found = _of_part(words[index + 1 :])
            if found is None:  # recall_negative is a gain, but latency_inverse is one too
                before = _of_part(words[:index])
                return before and before._replace(is_certain=False)
            return found._replace(larger_is_better=not found.larger_is_better)
    decide = [word for word in words if word in _COSTS or word in _GAINS]
    # A number of them, as in "5 ms", is a condition.
    in_unit = _IN_UNITS.issuperset(words[-1:]) and not "".join(words[-2:-1]).isdecimal()
    if not decide:
        if "inference" in words:
            return Direction(False, is_certain=in_unit)
        return Direction(False) if in_unit and words else None
    is_gain = decide[-1] in _GAINS
    agree = all((word in _GAINS) is is_gain for word in decide) or words[-1] == decide[-1]
    return Direction(is_gain, is_certain=agree and not (is_gain and in_unit))
