"""The version of a predictor follows its settings and, for a user's class, its code."""

from __future__ import annotations

from pathlib import Path

from pyg_nas.io.user_code import object_named
from pyg_nas.predictors.gnn.gcn import GCNRegressor
from pyg_nas.predictors.predictor_version import class_version, predictor_version
from pyg_nas.version import __version__

OWN = """
from sklearn.base import BaseEstimator
class Own(BaseEstimator):
    pass
"""


def test_a_version_follows_the_settings() -> None:
    version = predictor_version(GCNRegressor())
    assert predictor_version(GCNRegressor()) == version
    assert predictor_version(GCNRegressor(hidden=8)) != version


def test_a_version_follows_the_code_of_a_user(tmp_path: Path) -> None:
    path = tmp_path / f"own_{tmp_path.name}.py"
    path.write_text(OWN)
    own = object_named(f"{path}:Own")
    version = predictor_version(own())
    assert class_version(own) == OWN
    assert class_version(GCNRegressor) == __version__
    path.write_text(OWN + "    changed = True\n")
    assert predictor_version(own()) != version
    path.unlink()
    assert class_version(own) == ""
