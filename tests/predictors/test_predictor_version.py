"""The version of a predictor follows its settings and, for a user's class, its code."""

from __future__ import annotations

from pathlib import Path

from pyg_nas.io.user_code import object_named
from pyg_nas.predictors.cost.log_labels import LogRegressor
from pyg_nas.predictors.gnn.gcn import GCNRegressor
from pyg_nas.predictors.predictor_version import code_version, predictor_version
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
    within = LogRegressor(own())
    versions = [predictor_version(one) for one in (own(), within)]
    assert code_version(own()) == OWN
    assert code_version(GCNRegressor()) == code_version(LogRegressor(GCNRegressor())) == __version__
    path.write_text(OWN + "    changed = True\n")
    for one, version in zip((own(), within), versions, strict=True):
        assert predictor_version(one) != version
    path.unlink()
    assert code_version(own()) == ""
