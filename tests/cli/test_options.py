"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from pyg_nas.cli.options import (
    Jobs,
    check_settings_file,
    chosen_label,
    longest_training,
    note_direction,
)
from pyg_nas.data.protocols.labels import PAPER_LABEL, LabelPolicy
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import SettingsError


def test_jobs_are_a_number_or_all() -> None:
    app = typer.Typer()

    @app.command()
    def count(jobs: Jobs = 1) -> None:
        print(jobs)

    for given, code in (("-1", 0), ("3", 0), ("-2", 2), ("10001", 2), ("1.5", 2)):
        assert CliRunner().invoke(app, ["--jobs", given]).exit_code == code
    with pytest.raises(SettingsError, match="--jobs must be a number of processes"):
        CliRunner().invoke(app, ["--jobs", "0"], catch_exceptions=False)


@pytest.mark.parametrize(
    ("new", "old", "expected"), [(None, None, None), (5.0, None, 5.0), (None, 7.0, 7.0)]
)
def test_either_name_gives_the_limit(
    new: float | None, old: float | None, expected: float | None
) -> None:
    assert longest_training(new, old) == expected


def test_both_names_at_once_are_refused() -> None:
    with pytest.raises(SettingsError, match="--max-time is the old name of --max-training-time"):
        longest_training(5.0, 5.0)


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_a_limit_is_a_time(seconds: float) -> None:
    with pytest.raises(SettingsError, match=f"--max-training-time must be .* got {seconds:g}"):
        longest_training(seconds, None)


def test_a_file_of_training_settings(tmp_path: Path) -> None:
    check_settings_file(None)
    file = tmp_path / "s.json"
    for content, message in (
        ('{"stem_channels": 8}', None),
        ('{"batch": 8}', "unknown name 'batch'"),
        ('{"stem_channels": 0}', "stem_channels must be a whole number >= 1"),
        ("[", "not a readable JSON file"),
    ):
        file.write_text(content)
        if message is None:
            check_settings_file(file)
        else:
            with pytest.raises(SettingsError, match=message):
                check_settings_file(file)


def test_nothing_named_is_the_default() -> None:
    assert chosen_label(PAPER_LABEL, None, None, None) == PAPER_LABEL
    same = chosen_label(PAPER_LABEL, PAPER_LABEL.metric, PAPER_LABEL.budget, None)
    assert same == PAPER_LABEL


def test_another_metric_has_no_fallback_and_another_budget_no_threshold_either() -> None:
    tested = chosen_label(PAPER_LABEL, "test_accuracy", None, "mean")
    assert (tested.metric, tested.run, tested.fallback) == ("test_accuracy", "mean", None)
    assert tested.resample_below == PAPER_LABEL.resample_below
    early = chosen_label(PAPER_LABEL, None, 12, "2")
    assert early == LabelPolicy(budget=12, run=2, resample_below=None)


@pytest.mark.parametrize(
    ("metric", "note"),
    [
        (
            "jacov",
            "larger is taken as better, which its name leaves open; if smaller is better, "
            "rename it in the table, such as to cost_of_jacov",
        ),
        (
            "inference",
            "smaller is taken as better, which its name leaves open; if larger is "
            "better, rename it in the table, such as to gain_of_inference",
        ),
    ],
)
def test_a_direction_that_is_assumed_is_printed(
    metric: str, note: str, small_table: Table, capsys: pytest.CaptureFixture[str]
) -> None:
    certain = ("inference_ms", "cost_of_jacov", "gain_of_inference")
    targets = {name: np.zeros(len(small_table)) for name in (metric, *certain)}
    table = small_table.subset(np.arange(len(small_table)))
    table.targets.update(targets)
    note_direction(table, LabelPolicy(metric))
    assert capsys.readouterr().err == f"label {metric!r}: {note}\n"
    for name in (*certain, PAPER_LABEL.metric):
        note_direction(table, LabelPolicy(name))
    with pytest.raises(SettingsError, match="'score'"):
        note_direction(table, LabelPolicy("score"))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("budget", "run"), [(12, None), (None, "mean")])
def test_a_target_has_neither_budgets_nor_runs(budget: int | None, run: str | None) -> None:
    assert chosen_label(PAPER_LABEL, "latency", None, None).metric == "latency"
    message = "a budget and a run choose training runs, and 'latency' is no result of one"
    with pytest.raises(SettingsError, match=message):
        chosen_label(PAPER_LABEL, "latency", budget, run)


def test_a_label_outside_its_rule_is_refused() -> None:
    with pytest.raises(SettingsError, match="metric '' must be one of"):
        chosen_label(PAPER_LABEL, "", None, None)


@pytest.mark.parametrize(("budget", "run"), [(4, None), (None, "0")])
def test_a_table_of_networks_has_neither_budgets_nor_runs(
    budget: int | None, run: str | None
) -> None:
    of_networks = LabelPolicy("latency", run=None, resample_below=None)
    assert str(chosen_label(of_networks, "macs", None, None)) == "macs"
    with pytest.raises(SettingsError, match="a table of networks has neither budgets nor runs"):
        chosen_label(of_networks, None, budget, run)
