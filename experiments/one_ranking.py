"""The largest mean τ that one ranking can have for all seven tasks of TransNAS-Bench-101.

    python experiments/one_ranking.py transnasbench101.hdf5

Without a label, ``transfer`` has one ranking of the architectures for all tasks, because it is not
told the task. This script asks how good any such ranking can be. It uses the test metrics of all
tasks, which no predictor may see:

- *bound*: no ranking without ties has a larger mean τ. It would have to order each pair of
  architectures as most tasks do, each counted with its share in the mean τ. No ranking does so for
  all pairs if these orders contradict each other (a before b, b before c, c before a).
- *all seven*: τ of the ranking by wins: the number of architectures that an architecture beats in
  most tasks, less the number that beat it (A. H. Copeland's method).
- *six others*: τ of the mean rank in the other six tasks, which is no label of the task itself.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from transfer import transnas_benchmarks

from pyg_nas.io.files import write_text
from pyg_nas.metrics.ranks import ranks
from pyg_nas.metrics.regression import kendall_tau

RESULT = Path(__file__).parent / "results" / "one_ranking.json"

Array = NDArray[np.float64]


def preferences(values: Array) -> Array:
    """Return what each ordered pair of ``A`` architectures adds to τ, ``[A, A]``.

    τ of a ranking without ties is the sum of all entries, the entry ``[i, j]`` times 1 if ``i`` is
    ranked above ``j`` and times -1 if not.

    Args:
        values: The task's metric of each architecture ``[A]``.
    """
    signs = np.sign(values[:, None] - values)
    pairs = len(values) * (len(values) - 1)
    return np.asarray(signs / np.sqrt(np.count_nonzero(signs) * pairs))


def main(
    transnas: Annotated[Path, typer.Argument(help="Measurements of the micro space.")],
) -> None:
    tasks = list(transnas_benchmarks(transnas))
    wanted = np.zeros((len(tasks[0].test),) * 2)
    for task in tasks:
        wanted += preferences(task.test) / len(tasks)
    wins = np.sign(wanted).sum(axis=1)
    ranked = np.stack([ranks(task.test) for task in tasks])
    found = [
        {
            "task": task.task,
            "tau_of_all_seven": float(kendall_tau(task.test, wins)),
            "tau_of_six_others": float(kendall_tau(task.test, ranked.sum(axis=0) - own)),
        }
        for task, own in zip(tasks, ranked, strict=True)
    ]
    keys = ("tau_of_all_seven", "tau_of_six_others")
    result = {
        "architectures": len(wins),
        "bound": float(np.abs(wanted).sum()),
        "mean": {key: float(np.mean([row[key] for row in found])) for key in keys},
        "tasks": found,
    }
    write_text(RESULT, json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    typer.run(main)
