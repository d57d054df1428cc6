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

_COSTS = {
    *("time", "times", "runtime", "walltime", "duration", "delay", "latency", "latencies"),
    *("seconds", "secs", "milliseconds", "msec", "microseconds", "minutes", "hours"),
    *("cycles", "energy", "joules", "power", "watts", "memory", "ram", "vram", "footprint", "size"),
    *("parameters", "parameter", "params", "param", "operations"),
    *("flop", "flops", "mflops", "gflops", "mac", "macs", "mmacs", "gmacs", "madds"),
    *("loss", "losses", "error", "errors", "err", "perplexity", "ppl", "nll", "regret"),
    *("mse", "rmse", "rmsle", "mae", "mape", "wer", "cer", "eer", "fid"),
    *("cost", "costs", "price", "drop", "gap"),
}
_GAINS = {
    *("accuracy", "accuracies", "acc", "precision", "recall", "sensitivity", "specificity"),
    *("f1", "auc", "auroc", "auprc", "map", "iou", "miou", "dice", "kappa", "mcc", "r2"),
    *("psnr", "ssim", "bleu", "rouge", "correlation", "likelihood"),
    *("throughput", "fps", "speed", "speedup", "gain", "gains"),
}
_IN_UNITS = {unit.lower() for unit in UNIT_SPELLINGS if len(unit) > 1}  # s may stand for small
_SINGULARS = {"s", "sec", "second", "minute", "hour", "joule", "watt"}
_OF_RATES = _SINGULARS | _COSTS | _IN_UNITS
_RATE = re.compile(rf"/ ?(?=(?:{'|'.join(_SINGULARS)})\b)", re.IGNORECASE)  # images/s
_CONNECTORS = {"per", "to", "at", "of", "on", "for", "with", "by", "under", "in", "after"}
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
    ``raspi4_ms`` or ``raspi4 (mJ)``, and a rate is a gain, as ``images_per_second``. The first
    word ``neg`` reverses the others, as in scikit-learn's ``neg_mean_squared_error``. All other
    names are taken as gains.
    """
    # What is in brackets is a condition, unless it is the unit.
    plain = _BRACKETS.sub(
        lambda found: f" {found[1]} " if found[1] in UNIT_SPELLINGS else " ", metric
    )
    words = _words(_RATE.sub(" per ", plain))
    reverse = words[:1] == ["neg"]
    found = _of_words(words[1:] if reverse else words)
    if found is None:
        return Direction(larger_is_better=True, is_certain=False)
    return found._replace(larger_is_better=found.larger_is_better is not reverse)


def _words(name: str) -> list[str]:
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", " ", name)  # inferenceTime
    return [word for word in re.split(r"[\W_]+", spaced.lower()) if word]


def _of_words(words: Sequence[str]) -> Direction | None:
    """Return the direction of a name, or None if no word decides."""
    for index, word in enumerate(words):
        if word in _CONNECTORS:
            head, tail = words[:index], words[index + 1 :]
            is_rate = word == "per" and _OF_RATES.issuperset(tail[:1])
            return _of_part(head) or (Direction(True) if is_rate else _of_words(tail))
    return _of_part(words)


def _of_part(words: Sequence[str]) -> Direction | None:
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
