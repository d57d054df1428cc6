"""The finished fits of a comparison of predictors, and their file."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pyg_nas.errors import SettingsError
from pyg_nas.io.formats.json_reader import number_or_nan
from pyg_nas.io.records_file import RecordsFile
from pyg_nas.metrics.intervals import finite_or_none

FITS = "fits.jsonl"

FitKey = tuple[str, str, int]
"""Predictor, split and draw, which identify a fit within a comparison."""


@dataclass(frozen=True)
class Fit:
    """One predictor fitted to one draw of training cells, and its metrics on the evaluated cells.

    Args:
        predictor: Its name.
        train: Split of the training cells.
        draw: Number of the draw, from 0.
        training_cells: Number of labels that the predictor received, for the fit and any choice.
        evaluated_cells: Number of evaluated cells.
        fit_seconds: Time of the fit.
        predict_seconds: Time of the prediction for all cells of the table.
        figures: :func:`~pyg_nas.metrics.regression.regression_metrics`, NaN where not defined.
        problem: Why a metric is not defined; None where all are.
    """

    predictor: str
    train: str
    draw: int
    training_cells: int
    evaluated_cells: int
    fit_seconds: float
    predict_seconds: float
    figures: dict[str, float]
    problem: str | None = None

    @property
    def key(self) -> FitKey:
        """The fit within its comparison."""
        return self.predictor, self.train, self.draw


class ComparisonFits(RecordsFile):
    """``fits.jsonl``: a line with the settings of the comparison, then one line for each fit."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        super().__init__(Path(folder) / FITS, "comparison")
        self._versions: dict[tuple[str, str], tuple[str, str | None]] = {}

    def read(self, header: dict[str, Any]) -> dict[FitKey, Fit]:
        """Return the fits of the file; create the file if it is missing.

        Args:
            header: Settings of the comparison.

        Raises:
            SettingsError: If the file has another header, or a line that is not a fit.
        """
        stored, records = self.open(header)
        found: dict[FitKey, Fit] = {}
        self.check_subject(stored, header)
        where = ""
        try:
            for line, record in records:
                where = line
                version, digest = record.pop("version"), record.pop("train_digest")
                record["figures"] = {k: number_or_nan(v) for k, v in record["figures"].items()}
                for name in ("fit_seconds", "predict_seconds"):
                    record[name] = number_or_nan(record[name])
                fit = Fit(**record)
                if not type(fit.training_cells) is type(fit.evaluated_cells) is int:
                    raise TypeError("training_cells and evaluated_cells must be whole numbers")
                self._versions[fit.predictor, fit.train] = version, digest
                found[fit.key] = fit
        except (KeyError, TypeError, AttributeError, OverflowError) as error:
            raise SettingsError(f"{where}: not a fit of a comparison ({error!r})") from None
        return found

    def check_versions(self, versions: dict[str, str], digests: dict[str, str | None]) -> None:
        """Check that the fits in the file are of the present predictors and split files.

        Args:
            versions: Of each predictor, by :func:`.predictor_version`.
            digests: Digest of the split file of each split; None for other splits.

        Raises:
            SettingsError: If a fit is of another version or content.
        """
        for (predictor, train), (version, digest) in self._versions.items():
            if versions.get(predictor, version) != version:
                raise SettingsError(
                    f"{self.path}: has fits of another version of the predictor {predictor}; "
                    f"choose another folder"
                )
            if digests.get(train, digest) != digest:
                raise SettingsError(
                    f"{self.path}: has fits to another content of the split file {train}; choose "
                    f"another folder"
                )

    def add(self, fit: Fit, version: str, train_digest: str | None) -> None:
        """Add one fit, on the disk when this returns."""
        record = asdict(fit)
        record["figures"] = {name: finite_or_none(value) for name, value in fit.figures.items()}
        self.append({**record, "version": version, "train_digest": train_digest})
