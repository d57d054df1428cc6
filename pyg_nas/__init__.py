"""Graph neural predictors for neural architecture search, on PyTorch Geometric.

The names below are imported when they are first used, so that ``import pyg_nas`` and
``pyg-nas --help`` do not wait for torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from pyg_nas.version import __version__

if TYPE_CHECKING:
    from pyg_nas.cell import Cell
    from pyg_nas.cell_array import CellArray
    from pyg_nas.dataset import CellDataset, NASBench101
    from pyg_nas.enumeration import nasbench101_cells, sample_cells
    from pyg_nas.errors import PygNasError
    from pyg_nas.estimators import GCNClassifier, GCNRegressor
    from pyg_nas.labels import LabelPolicy
    from pyg_nas.model_folder import load_model, save_model
    from pyg_nas.recipes import make_estimator
    from pyg_nas.sources import open_table
    from pyg_nas.space import NASBENCH101, SearchSpace
    from pyg_nas.splits import Protocol
    from pyg_nas.table import Table

_HOMES = {
    "Cell": "cell",
    "CellArray": "cell_array",
    "CellDataset": "dataset",
    "GCNClassifier": "estimators",
    "GCNRegressor": "estimators",
    "LabelPolicy": "labels",
    "NASBENCH101": "space",
    "NASBench101": "dataset",
    "Protocol": "splits",
    "PygNasError": "errors",
    "SearchSpace": "space",
    "Table": "table",
    "load_model": "model_folder",
    "make_estimator": "recipes",
    "nasbench101_cells": "enumeration",
    "open_table": "sources",
    "sample_cells": "enumeration",
    "save_model": "model_folder",
}

__all__ = [
    "NASBENCH101",
    "Cell",
    "CellArray",
    "CellDataset",
    "GCNClassifier",
    "GCNRegressor",
    "LabelPolicy",
    "NASBench101",
    "Protocol",
    "PygNasError",
    "SearchSpace",
    "Table",
    "__version__",
    "load_model",
    "make_estimator",
    "nasbench101_cells",
    "open_table",
    "sample_cells",
    "save_model",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"pyg_nas.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
