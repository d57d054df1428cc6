"""Files of a comparison, from figures that are known."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pyg_nas.data.protocols.labels import PAPER_LABEL, LabelPolicy
from pyg_nas.predictors.model_selection.comparison import Comparison, ComparisonSettings
from pyg_nas.predictors.model_selection.comparison_files import (
    difference_rows,
    latex_text,
    write_comparison,
)
from pyg_nas.predictors.model_selection.comparison_fits import Fit

TAU = {
    ("best", "172"): [0.5, 0.6, 0.7],
    ("my_file.py:Net_2", "172"): [0.45, 0.5, 0.65],
    ("best", "424"): [0.7, 0.7, 0.7],
    ("my_file.py:Net_2", "424"): [0.6, np.nan, 0.6],
}
# t(0.975, 2 degrees of freedom) = 4.302653; standard deviation 0.1 of 3 values.
HALF = 4.302653 * 0.1 / np.sqrt(3)


def made_up(draws: int = 3) -> Comparison:
    settings = ComparisonSettings(("best", "fast"), ("172", "424"), draws)
    object.__setattr__(settings, "predictors", ("best", "my_file.py:Net_2"))  # no file is needed
    fits = [
        Fit(
            name,
            train,
            draw,
            int(train),
            1_000,
            1.0,
            1.0,
            {"mse": 1.0, "kendall_tau": values[draw]},
            "all predictions are equal" if np.isnan(values[draw]) else None,
        )
        for (name, train), values in TAU.items()
        for draw in range(draws)
    ]
    protocol = settings.protocol("172", 0, PAPER_LABEL)
    return Comparison(settings, protocol, "nasbench101", fits, True, 400, ("A note.",))


def rows_of(path: Path) -> dict[tuple[str, str, str], dict[str, str]]:
    with path.open() as file:
        return {
            (row["predictor"], row["train"], row["figure"]): row for row in csv.DictReader(file)
        }


def test_means_and_intervals(tmp_path: Path) -> None:
    files = write_comparison(tmp_path, made_up())
    assert all(file.stat().st_size > 100 for file in files)
    assert len(files) == 5
    rows = rows_of(tmp_path / "comparison.csv")
    best = rows["best", "172", "kendall_tau"]
    assert float(best["mean"]) == pytest.approx(0.6)
    assert float(best["low"]) == pytest.approx(0.6 - HALF, abs=1e-6)
    assert float(best["high"]) == pytest.approx(0.6 + HALF, abs=1e-6)
    assert best["label"] == str(PAPER_LABEL)
    assert (best["labels_used"], best["draws"], best["first_seed"]) == ("172", "3", "0")
    assert rows["my_file.py:Net_2", "424", "kendall_tau"]["mean"] == ""


@pytest.mark.usefixtures("undrawn")
def test_both_labels_are_stated(tmp_path: Path) -> None:
    found = made_up()
    tested = LabelPolicy("test_accuracy", run="mean", resample_below=None)
    compared = replace(found, protocol=replace(found.protocol, evaluation_label=tested))
    write_comparison(tmp_path, compared)
    labels = {
        (row["label"], row["evaluation_label"])
        for name in ("comparison.csv", "differences.csv")
        for row in rows_of(tmp_path / name).values()
    }
    assert labels == {(str(PAPER_LABEL), "test accuracy at largest budget, mean of runs")}
    stated = "Predictions are compared with: test accuracy at largest budget, mean of runs."
    assert stated in (tmp_path / "comparison.tex").read_text(encoding="utf-8")
    assert "compared with" not in latex_text(found)


@pytest.mark.usefixtures("undrawn")
def test_paired_differences(tmp_path: Path) -> None:
    write_comparison(tmp_path, made_up())
    rows = rows_of(tmp_path / "differences.csv")
    found = rows["best - my_file.py:Net_2", "172", "kendall_tau"]
    # 0.05, 0.1, 0.05: mean 0.0667, standard deviation 0.028868.
    half = 4.302653 * 0.0288675 / np.sqrt(3)
    assert float(found["mean"]) == pytest.approx(0.2 / 3)
    assert float(found["low"]) == pytest.approx(0.2 / 3 - half, abs=1e-6)
    assert found["differs"] == "False"
    assert rows["best - my_file.py:Net_2", "424", "kendall_tau"]["mean"] == ""


@pytest.mark.usefixtures("undrawn")
def test_one_draw_has_no_interval(tmp_path: Path) -> None:
    comparison = made_up(draws=1)
    assert difference_rows(comparison) == []
    write_comparison(tmp_path, comparison)
    row = rows_of(tmp_path / "comparison.csv")["best", "172", "kendall_tau"]
    assert (row["mean"], row["low"]) == ("0.5", "")
    assert not (tmp_path / "differences.csv").exists()


def test_latex_states_what_the_figures_mean() -> None:
    text = latex_text(made_up())
    assert r"best & 0.600 $\pm$ 0.248 & 0.700 $\pm$ 0.000 \\" in text
    assert r"Net\_2 & 0.533 $\pm$ 0.259 & not defined \\" in text
    assert r"best $-$ Net\_2 & +0.067 [$-$0.005, +0.138] & not defined \\" in text
    for part in ("random seeds 0-2", str(PAPER_LABEL), "1,000 other cells", "A note."):
        assert part in text
    assert r"Net\_2, split 424, 1 of 3 draws: all predictions are equal." in text
