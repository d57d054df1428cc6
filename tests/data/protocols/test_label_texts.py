"""Names, units and substitutes of labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyg_nas.data.protocols.label_texts import fallback_note, label_name, label_sentence
from pyg_nas.data.protocols.labels import LabelPolicy
from pyg_nas.data.protocols.protocol import Protocol
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import SettingsError, TableError
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.search.evaluators.table import TableEvaluator


@pytest.mark.parametrize(
    ("about", "metric", "name"),
    [
        ({}, "training_time", "training time, s"),
        ({"reference_seconds": 0.1}, "latency_spread", "latency spread, s"),
        ({"reference_seconds": 0.1}, "peak_memory", "peak memory, bytes"),
        ({"reference_seconds": 0.1}, "reference_drift", "reference drift"),
        ({"units": {"latency": "ms"}, "reference_seconds": 0.1}, "latency", "latency, ms"),
        ({"units": {"latency": 3}}, "latency", "latency"),
        ({"units": "ms"}, "latency", "latency"),
        ({"score": "R²"}, "validation_accuracy", "validation R²"),
        ({}, "latency_ms", "latency, ms"),
        ({}, "edgegpu_energy_mj", "edgegpu energy, mJ"),
        ({}, "energy (mJ)", "energy, mJ"),
        ({}, "Latency [ms]", "Latency, ms"),
        ({}, "latency in ms", "latency, ms"),
        ({}, "memory_mb", "memory, MB"),
        ({}, "energy (MJ)", "energy (MJ)"),  # megajoules
        ({"units": {"latency_ms": "s"}}, "latency_ms", "latency ms, s"),
        ({}, "images_s", "images s"),  # no cost: images of a scene, perhaps
        ({}, "latency", "latency"),
        ({}, "ms", "ms"),
    ],
)
def test_names_of_labels_have_known_units(about: Any, metric: str, name: str) -> None:
    metrics = np.full((3, 1, 1, 2, 4), np.nan, dtype=np.float32)
    table = Table(sample_cells(3, seed=0), metrics, (108,), about)
    assert label_name(table, LabelPolicy(metric)) == name


@pytest.mark.parametrize(
    ("metric", "unit", "sentence"),
    [
        ("latency_ms", "ms", "latency ms"),
        ("latency_ms", "s", "latency ms, in s"),
        ("latency", "ms", "latency, in ms"),
        ("latency", "", "latency"),
    ],
)
def test_a_unit_is_printed_once(metric: str, unit: str, sentence: str) -> None:
    assert label_sentence(LabelPolicy(metric), unit) == sentence


def test_scores_below_zero_are_no_substitutes() -> None:
    # R squared: the runs of cell 0 failed, that of cell 1 is negative and counts.
    runs = np.array([-2.0, -0.3, 0.6], dtype=np.float32)
    metrics = np.full((3, 1, 1, 2, 4), np.nan, dtype=np.float32)
    metrics[:, 0, 0, 1, 2] = runs
    table = Table(sample_cells(3, seed=0), metrics, (108,), {"score": "R squared"})
    policy = LabelPolicy(resample_below=-1.0, fallback=-0.5)
    note = fallback_note(table, np.arange(3), policy)
    assert note.startswith("1 of 3 evaluated cells have no run above -1.0")
    assert fallback_note(table, np.array([1, 2]), policy) == ""


def test_a_label_that_no_cell_has_is_named_with_the_targets_there_are() -> None:
    cells = sample_cells(3, seed=0)
    metrics = np.full((3, 1, 1, 2, 4), np.nan, dtype=np.float32)
    table = Table(cells, metrics, (108,), targets={"latency_ms": np.arange(1.0, 4.0)})
    message = "no cell of the table has the label .*; its targets are latency_ms$"
    protocol = Protocol(train="2")
    for reads in (protocol.apply, lambda table: protocol.evaluated(table, table.hashes[:0])):
        with pytest.raises(SettingsError, match=message):
            reads(table)
    with pytest.raises(TableError, match=message):
        TableEvaluator(table)
    assert len(Protocol("2", label=LabelPolicy("latency_ms")).apply(table).evaluate) == 1
