"""The finished fits of a tuning, and their file, from which an interrupted one resumes."""

from __future__ import annotations

from pathlib import Path

from pyg_nas.errors import SettingsError
from pyg_nas.io.formats.json_reader import number_or_nan
from pyg_nas.io.records_file import RecordsFile
from pyg_nas.metrics.intervals import finite_or_none

FitScores = dict[tuple[str, int], tuple[float, float]]
"""(score, seconds) of each (candidate, split)."""


class TuningFits(RecordsFile):
    """The file of finished fits: a line with a digest of the settings, then one line per fit."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "comparison")

    def read(self, fingerprint: str) -> FitScores:
        """Return the fits of the file; create the file if it is missing.

        Args:
            fingerprint: Digest of the cells, labels and settings of the fits.

        Raises:
            SettingsError: If the file has fits of others, or is damaged.
        """
        compared, fits = self.open(fingerprint)
        if compared != fingerprint:
            raise SettingsError(
                f"{self.path}: has fits of other cells, labels, settings or code of the "
                f"predictor; choose another file, or delete it"
            )
        try:
            return {
                (fit["candidate"], fit["split"]): (
                    number_or_nan(fit["score"]),
                    number_or_nan(fit["seconds"]),
                )
                for _, fit in fits
            }
        except (KeyError, TypeError, OverflowError) as error:
            raise SettingsError(f"{self.path}: not a file of fits ({error!r})") from None

    def add(self, candidate: str, split: int, score: float, seconds: float) -> None:
        """Append one finished fit; NaN is the score of one that diverged."""
        fit = {
            "candidate": candidate,
            "split": split,
            "score": finite_or_none(score),
            "seconds": seconds,
        }
        self.append(fit)
