"""Protocols: rows, labels and digests."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from pyg_nas.data.protocols.labels import LabelPolicy
from pyg_nas.data.protocols.protocol import Protocol
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import SettingsError
from pyg_nas.predictors.trained import TrainedPredictor
from tests.data.conftest import one_run


def test_protocol_never_evaluates_training_cells(small_table: Table) -> None:
    for evaluate in ("all", "denoise-80", "100"):
        split = Protocol(train="50", evaluate=evaluate).apply(small_table)
        assert not set(split.train) & set(split.evaluate)
    everything = Protocol(train="50", evaluate="all").apply(small_table)
    assert len(everything.train) + len(everything.evaluate) == len(small_table)


def test_protocol_survives_json() -> None:
    protocol = Protocol("172", "denoise-91", 4, LabelPolicy(run="mean"), LabelPolicy(run=1))
    text = json.dumps(protocol.to_dict())
    assert Protocol.from_dict(json.loads(text)) == protocol
    assert "172" in protocol.name
    assert "denoise-91" in str(protocol)


def test_a_protocol_without_a_label_takes_the_tables(small_table: Table) -> None:
    protocol = Protocol("50")
    assert protocol.on(small_table).label == small_table.default_label
    split = protocol.apply(small_table)
    assert np.array_equal(split.train_labels, small_table.label()[split.train])
    named = Protocol("50", label=LabelPolicy(run=1))
    assert named.on(small_table) == named
    assert Protocol.from_dict(json.loads(json.dumps(protocol.to_dict()))) == protocol
    assert "default of the table" in str(protocol)


@pytest.mark.parametrize(
    "wrong", [{"split_seed": -1}, {"split_seed": 2**32}, {"split_seed": "a"}, {"train": 172}]
)
def test_invalid_protocols_are_refused(wrong: dict) -> None:
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        Protocol(**{"train": "172", **wrong})


def test_a_label_that_no_cell_has_is_named(small_table: Table) -> None:
    empty = Table(small_table.cells, np.full_like(small_table.metrics, np.nan))
    for train in ("10", "all"):
        with pytest.raises(SettingsError, match="has the label validation accuracy"):
            Protocol(train).apply(empty)


def test_evaluation_label_may_differ(small_table: Table) -> None:
    other = LabelPolicy(metric="test_accuracy", run="mean")
    split = Protocol("50", label=LabelPolicy(run=1), evaluation_label=other).apply(small_table)
    assert np.array_equal(split.train_labels, small_table.label(LabelPolicy(run=1))[split.train])
    assert np.array_equal(split.evaluate_labels, small_table.label(other)[split.evaluate])


def test_the_split_seed_draws_training_and_evaluated_cells(small_table: Table) -> None:
    split = Protocol("50", evaluate="80", split_seed=3).apply(small_table)
    order = np.random.RandomState(3).permutation(300)
    np.testing.assert_array_equal(split.train, order[:50])
    np.testing.assert_array_equal(split.evaluate, order[50:80])


def test_the_evaluated_split_goes_by_the_evaluation_label(small_table: Table) -> None:
    other = LabelPolicy(metric="test_accuracy", run=1)
    split = Protocol("20", evaluate="denoise-77", evaluation_label=other).apply(small_table)
    compared = small_table.metrics[:, 3, 1, 1, 3].astype(float)
    expected = np.setdiff1d(np.flatnonzero(compared > 0.77), split.train)
    np.testing.assert_array_equal(split.evaluate, expected)
    assert not np.array_equal(compared > 0.77, small_table.label() > 0.77)


def test_a_broken_run_that_is_replaced_stays_out_of_denoised_splits() -> None:
    table = one_run([0.1, 0.92, 0.9, 0.15], runs=3)
    assert table.label()[0] == pytest.approx(0.95)
    assert Protocol("4", "denoise-80").evaluated(table, np.array([], "S32"))[0].tolist() == [1, 2]
    assert sorted(Protocol("91-4").apply(table).train.tolist()) == [1]
    mean = Protocol("4", "denoise-80", label=LabelPolicy(run="mean"))
    assert mean.evaluated(table, np.array([], "S32"))[0].tolist() == [1, 2]
    time = Protocol("4", "denoise-91", label=LabelPolicy("training_time"))
    assert time.evaluated(table, np.array([], "S32"))[0].tolist() == [1]


@pytest.mark.parametrize("evaluate", ["all", "denoise-90", "120"])
@pytest.mark.parametrize("train", ["50", "91-60"])
def test_a_graph_is_on_one_side_and_evaluated_once(
    repeated: Table, train: str, evaluate: str
) -> None:
    split = Protocol(train, evaluate).apply(repeated)
    trained, evaluated = repeated.hashes[split.train], repeated.hashes[split.evaluate]
    assert not set(trained.tolist()) & set(evaluated.tolist())
    assert len(set(evaluated.tolist())) == len(evaluated) > 5
    if train == "50":  # all rows that were drawn train, each with its own label
        assert len(trained) == 50 > len(set(trained.tolist()))
    np.testing.assert_array_equal(split.train_labels, repeated.label()[split.train])
    for row, label in zip(split.evaluate, split.evaluate_labels, strict=True):
        same = repeated.hashes == repeated.hashes[row]
        assert row == np.flatnonzero(same)[0] or evaluate == "120"
        assert label == pytest.approx(repeated.label()[same].mean())


def test_a_model_is_evaluated_on_other_graphs_than_its_own(repeated: Table) -> None:
    model = TrainedPredictor.train(repeated, Protocol("60"), "paper", epochs=1, hidden=8)
    result = model.evaluate(repeated)
    assert not np.isin(repeated.hashes[result.rows], model.training_hashes).any()
    assert len(result.rows) + result.left_out == 100
    assert result.left_out == len(np.unique(model.training_hashes))


def test_split_files_travel_with_their_digest(tmp_path: Path, small_table: Table) -> None:
    path = tmp_path / "rows.json"
    path.write_text("[5, 3, 8]")
    protocol = Protocol(str(path), str(tmp_path / "test.txt"))
    (tmp_path / "test.txt").write_text("\n".join(map(str, range(20))))
    named = protocol.on(small_table)
    split = named.apply(small_table)
    assert split.train.tolist() == [5, 3, 8]
    assert split.evaluate.tolist() == [row for row in range(20) if row not in (5, 3, 8)]
    assert named.train_digest == hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    assert f"rows.json (sha256 {named.train_digest})" in named.name
    again = Protocol.from_dict(json.loads(json.dumps(named.to_dict())))
    assert again == named
    path.write_text("[5, 3, 9]")
    with pytest.raises(SettingsError, match=r"rows\.json: the file has changed"):
        again.apply(small_table)
    # What was trained on is known by hashes: evaluating does not need its file.
    path.unlink()
    assert len(again.evaluated(small_table, small_table.hashes[[5, 3, 8]])[0]) == 17


def test_a_split_file_may_not_name_what_is_not_measured(tmp_path: Path) -> None:
    (tmp_path / "rows.txt").write_text("0\n1\n")
    table = one_run([0.9, float("nan"), 0.8])
    with pytest.raises(SettingsError, match=r"row 1 has no label \(1 of 2"):
        Protocol(str(tmp_path / "rows.txt")).apply(table)


def test_a_split_file_whose_name_cannot_be_stored_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"split .* must be UTF-8 text"):
        Protocol(train="b\udcff.txt")
