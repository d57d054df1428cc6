"""The digits are those that the shipped table was measured on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pyg_nas.data.tables.table import Table
from pyg_nas.measure.tasks.digits import digits_task

SHIPPED = Path(__file__).parents[3] / "datasets" / "nasbench_digits.hdf5"


def test_digits_have_the_parts_of_their_description():
    task = digits_task()
    assert [len(part) for part in task.parts.values()] == [384, 192, 1000, 913]
    assert task.train.images.shape[1:] == (1, 8, 8)
    # Each validation image is seen twice, with the same label and different noise.
    assert np.array_equal(task.validation.labels[:500], task.validation.labels[500:])
    assert not np.array_equal(task.validation.images[:500], task.validation.images[500:])


def test_digits_are_the_task_of_the_shipped_table():
    about = Table.load(SHIPPED).about
    assert about["fingerprint"] == digits_task().fingerprint
    assert about["settings"] == digits_task().settings.to_dict()
