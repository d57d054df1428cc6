"""How well times of networks in one setting can be predicted from their times in another setting.

    python experiments/latency_limits.py timm_results.csv

``experiments/latency.py`` predicts networks of unseen families that were measured nowhere. Here the
same networks were measured in one other setting: on another device, or on the same device with
another version of the software or without compilation. Extremely randomised trees learn the ratio
of both times from that time and the totals of a network (multiply-accumulates, activations and
parameters, all as logarithms). The families that are left out are those of that script. If even
these trees have an error, a smaller one cannot be expected without any measurement.
"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from latency import FOLDS, UNSEEN_FAMILIES, Floats, errors, family, folds
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesRegressor

from pyg_nas.io.files import write_text

RESULT = Path(__file__).parent / "results" / "latency_limits.json"
TOTALS = ("gmacs", "mactivations", "mparams")
EAGER, COMPILED, FIRST_CPU, SECOND_CPU = UNSEEN_FAMILIES
ELSEWHERE = {
    EAGER: ("amp-nchw-pt291-cu130-pro6000maxq", COMPILED),
    COMPILED: ("amp-nchw-pt291-cu130-pro6000maxq-dynamo", EAGER),
    FIRST_CPU: (SECOND_CPU,),
    SECOND_CPU: (FIRST_CPU, "fp32-nchw-pt221-cpu-i9_10940x-dynamo"),
}


def read(results: Path) -> tuple[dict[str, dict[str, float]], dict[str, list[float]]]:
    """Return seconds per image by setting and NAME@PIXELS, and logarithms of totals by the latter.

    Some networks have no totals.
    """
    seconds: dict[str, dict[str, float]] = defaultdict(dict)
    totals = {}
    with results.open(newline="") as file:
        for row in csv.DictReader(file):
            if not (row["value"] and row["img_size"]):
                continue
            name = f"{row['model']}@{float(row['img_size']):.0f}"
            seconds[row["setting"]][name] = 1 / float(row["value"])
            if all(row[column] for column in TOTALS):  # rows of a CPU lack activations
                totals[name] = [float(np.log(float(row[column]))) for column in TOTALS]
    return seconds, totals


def error(
    totals: Floats, known: Floats, seconds: Floats, families: NDArray[np.str_]
) -> dict[str, float]:
    """Return the errors of seconds of left-out families, from the known ones, ``[N]`` each."""
    inputs = np.column_stack([totals, np.log(known)])
    ratio = np.log(seconds / known)
    predicted = np.empty(len(seconds))
    fold = folds(families)
    for left_out in range(FOLDS):
        unseen = fold == left_out
        trees = ExtraTreesRegressor(300, min_samples_leaf=2, random_state=0)
        predicted[unseen] = trees.fit(inputs[~unseen], ratio[~unseen]).predict(inputs[unseen])
    return errors(known * np.exp(predicted), seconds)


def main(results: Annotated[Path, typer.Argument(help="CSV file of timm's results.")]) -> None:
    """Write the result file."""
    seconds, totals = read(results)
    found = {}
    for setting, others in ELSEWHERE.items():
        for other in others:  # not all networks were measured in both
            names = [n for n in seconds[setting] if n in seconds[other] and n in totals]
            missed = error(
                np.array([totals[name] for name in names]),
                *(np.array([seconds[s][name] for name in names]) for s in (other, setting)),
                np.array([family(name) for name in names]),
            )
            found[f"{setting} from {other}"] = {"networks": len(names), **missed}
    write_text(RESULT, json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    typer.run(main)
