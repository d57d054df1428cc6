"""The model card of a trained network."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pyg_nas.io.text import counted, markdown, milliseconds, percent
from pyg_nas.measure.tasks.objective import score_note
from pyg_nas.measure.trained_network.export import ONNX

CARD = "README.md"

_MOST_SHOWN_CLASSES = 20


def model_card(about: Mapping[str, Any], digest: str) -> str:
    """Return the model card in Markdown.

    Args:
        about: The ``about`` of :func:`~pyg_nas.measure.trained_network.folder.save_network`, with
            test accuracy, size and latency.
        digest: Module hash of the cell.
    """
    task, test, training = about["task"], about["test"], about["training"]
    shape, latency = task["image_shape"], about["latency"]
    onnx = about["onnx_missing"]
    missing = "" if onnx is None else f"\n\nThere is no `{ONNX}`: {markdown(onnx)}."
    classes = len(task["classes"])
    kind = "image classifier" if classes else "number of an image"
    many = counted(classes, "class", "classes")
    what = f"An image classifier for {many}" if classes else "A network"
    gives = "class names" if classes else "numbers"
    outputs = f"logits\n`[B, {classes}]`" if classes else "numbers `[B, 1]`"
    chosen = "\n\n".join(
        (
            _confirmation(about["confirmation"], test.get("score_name", "accuracy")),
            *filter(None, (_passed_over(about), markdown(doubt(about)))),
        )
    )
    return f"""# {markdown(task["name"])}: {kind}

{what}, found by neural architecture search. It maps
images `[B, {", ".join(map(str, shape))}]` with {task["unit"]} to {outputs}, and normalises the
images itself.{_fit(task["settings"])}

| | |
|---|---|
{_test_rows(test)}
| trainable parameters | {about["parameters"]:,} |
| multiply-accumulates per image | {about["macs"]:,} |
| latency, batch of 1 | {_latency(latency)} |{_limit(about)}
| trained | {counted(training["epochs"], "epoch")} on {training["images"]:,} images |
| cell | `{digest}` |

```python
from predict import predict  # needs torch alone

predict(images)  # a tensor [B, {", ".join(map(str, shape))}]; returns {gives}
```{missing}
{_matrix(task["classes"], test)}
## How it was chosen

{chosen}

## Training settings

```json
{json.dumps(task["settings"], indent=2)}
```
"""


def shown_score(test: Mapping[str, Any]) -> str:
    """Return the test score as text, in percent if it is a share of images."""
    name, score = test["score_name"], test["score"]
    shown = percent(score, 2) if _is_percent(name) else f"{score:.4f}"
    return shown + score_note(name, score)


def doubt(about: Mapping[str, Any]) -> str:
    """Return what a user should know before the network is used, or an empty text.

    Its test score, or the upper end of an accuracy's interval, may be further below the lowest test
    score of its cell in the confirmation than those runs are apart.

    Args:
        about: As for :func:`model_card`.
    """
    confirmation, test = about["confirmation"], about["test"]
    score = test.get("score_name", "accuracy")
    (runs,) = (
        cell["test_accuracies"]
        for cell in confirmation["cells"]
        if cell["hash"] == confirmation["chosen"]
    )
    low, high = min(runs), max(runs)
    reached = test["high"] if score == "accuracy" else test["score"]
    if not reached < low - (high - low):
        return ""
    factor, unit = (100, " %") if _is_percent(score) else (1, "")
    return (
        f"The test {score} is far below that of the same cell in the confirmation "
        f"({factor * low:.2f} to {factor * high:.2f}{unit}): the last training went badly. "
        f"Try another number of epochs."
    )


def is_device_of_limit(processor: str, device: str | None) -> bool:
    """Return whether a processor is the one of the search's limit on latency.

    It is not if the search measured another one, or read latencies of another one from files.

    Args:
        device: The device of the limit in words, with its processor; None where not known.
    """
    # Completely: an RTX 3080 is no RTX 3080 Ti.
    return device is not None and f", {processor}, " in f", {device}, "


def _test_rows(test: Mapping[str, Any]) -> str:
    rows = []
    images = counted(test["images"], "image")
    if "accuracy" in test:
        confidence = percent(test["confidence"])
        rows = [
            ("test accuracy", f"{percent(test['accuracy'], 2)} of {images}"),
            (
                f"{confidence} interval (Wilson)",
                f"{percent(test['low'], 2)} to {percent(test['high'], 2)}",
            ),
        ]
    if test.get("score_name", "accuracy") != "accuracy":
        name = markdown(test["score_name"])
        rows.append((f"test {name}", f"{shown_score(test)} on {images}"))
    for key in ("mean_absolute_error", "root_mean_squared_error"):
        if key in test:
            rows.append((f"test {key.replace('_', ' ')}", f"{test[key]:.6g}"))
    return "\n".join(f"| {name} | {value} |" for name, value in rows)


def _matrix(classes: Sequence[str], test: Mapping[str, Any]) -> str:
    if "confusion" not in test:
        return ""
    return f"\n## Confusion matrix\n\n{_confusion(classes, test['confusion'])}\n"


def _fit(settings: Mapping[str, Any]) -> str:
    """How files were resized to the network's size, as its users must do too."""
    fits = {"pad": "padded with black", "crop": "cropped in the middle"}
    fit = fits.get(settings.get("image_fit", ""))
    return "" if fit is None else f" Images of another size were resized and {fit}."


def _is_percent(score: str) -> bool:
    return score in ("accuracy", "balanced accuracy")


def _latency(latency: Mapping[str, Any]) -> str:
    lower = milliseconds(latency["lower"]).removesuffix(" ms")
    threads = counted(latency["threads"], "thread")
    return (
        f"{milliseconds(latency['median'])} median, {lower} to "
        f"{milliseconds(latency['upper'])} quartiles of {latency['repeats']} passes on "
        f"{markdown(latency['processor'])}, {threads}"
    )


def _limit(about: Mapping[str, Any]) -> str:
    """Return a row with what the search predicted under its limit on latency, if it had one."""
    limit = about.get("latency_limit")
    if limit is None:
        return ""
    found = [f"limit {milliseconds(limit['limit'])}"]
    if limit["predicted"] is not None:
        found.append(f"expected {milliseconds(limit['predicted'])} ({markdown(limit['device'])})")
    if limit["median_error"] is not None:
        half, most = (percent(limit[name], 1) for name in ("median_error", "error_90"))
        found.append(f"error of predictions: median {half}, 90 % below {most}")
    return f"\n| latency in the search | {'; '.join(found)} |"


def _confusion(classes: Sequence[str], confusion: Sequence[Sequence[int]]) -> str:
    """The whole confusion matrix for few classes, the most frequent errors for many."""
    names = [markdown(name) for name in classes]
    if len(names) > _MOST_SHOWN_CLASSES:
        counts = np.array(confusion)
        np.fill_diagonal(counts, 0)
        order = np.argsort(-counts, axis=None, kind="stable")[:_MOST_SHOWN_CLASSES]
        pairs = zip(*np.unravel_index(order, counts.shape), strict=True)
        errors = [(names[t], names[p], str(counts[t, p])) for t, p in pairs if counts[t, p]]
        note = "The most frequent errors; `settings.json` has the whole matrix."
        return f"{note}\n\n{_table(('class', 'predicted', 'images'), errors)}"
    rows = [(name, *map(str, row)) for name, row in zip(names, confusion, strict=True)]
    return f"Rows are classes, columns predictions.\n\n{_table(('', *names), rows)}"


def _confirmation(confirmation: Mapping[str, Any], score: str) -> str:
    factor, unit, points = (100, " %", " points") if _is_percent(score) else (1, "", "")
    cells = confirmation["cells"]
    rows = [
        (
            f"`{cell['hash']}`" + (" (chosen)" if cell["hash"] == confirmation["chosen"] else ""),
            f"{cell['parameters']:,}",
            f"{factor * cell['mean']:.2f}{unit}{score_note(score, cell['mean'])}",
            f"{factor * min(cell['accuracies']):.2f} to {factor * max(cell['accuracies']):.2f}",
        )
        for cell in cells
    ]
    table = _table(
        (
            "cell",
            "parameters",
            f"mean validation {markdown(score)}",
            f"of runs{',' * bool(unit)}{unit}",
        ),
        rows,
    )
    epochs = counted(confirmation["budget"], "epoch")
    return (
        f"The {len(cells)} best cells of the search were trained {len(confirmation['seeds'])} "
        f"times each for {epochs}, with random seeds that the search had "
        f"not used. "
        f"The smallest one within one standard error "
        f"({factor * confirmation['standard_error']:.2f}{points}) of the best mean was "
        f"chosen.\n\n{table}"
    )


def _passed_over(about: Mapping[str, Any]) -> str:
    slow = about.get("passed_over")
    if not slow:
        return ""
    cells = ", ".join(f"`{cell}` ({milliseconds(seconds)})" for cell, seconds in slow.items())
    return f"Passed over, because their measured latency is above the limit: {cells}."


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
