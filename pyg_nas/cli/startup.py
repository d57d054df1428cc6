"""Faster start of commands: packages without those that they import and no command uses.

``torch_geometric.isinstance`` imports ``torch._dynamo``, which takes longer to import than torch
itself, for a comparison that is rarely made. An empty module replaces it during that one import;
torch imports the real one when an attribute of it is first used.

``torch_geometric`` imports all its data sets, and with them pandas and its tools for language
models, which take twice as long as the rest of it. They are imported when an attribute of
``torch_geometric.datasets`` is first used.

``sklearn.utils.fixes`` imports pandas where it is installed, and does not use it. It does not find
pandas during that one import. It also imports ``scipy.stats``, which takes a quarter of the time of
torch; SciPy imports it when it is first used.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from threading import RLock
from types import ModuleType
from typing import Any

_DATASETS = "torch_geometric.datasets"


class _Postponed(MetaPathFinder):
    """Finds nothing; notices when an import begins, and another one after it.

    Args:
        name: The postponed module.
        importer: The module that does not get it.
        following: Beginning of the name of the next module that is imported after it.
        stand_in: What is in its place until then, None for a module that is not found.
    """

    def __init__(
        self, name: str, importer: str, following: str = "", stand_in: ModuleType | None = None
    ) -> None:
        self.name, self.importer = name, importer
        self._following, self._stand_in = following, stand_in
        self._begun = False

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == self.importer:
            self._begun = self.name not in sys.modules
            if self._begun:
                # None in sys.modules makes the import fail.
                sys.modules[self.name] = self._stand_in  # type: ignore[assignment]
        elif self._begun and fullname.startswith(self._following):
            del sys.modules[self.name]
            sys.meta_path.remove(self)
        return None


class _LazyDatasets(MetaPathFinder):
    """Finds PyG's data sets as a module that is executed when an attribute of it is first used."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path) if fullname == _DATASETS else None
        if spec is not None and spec.loader is not None:
            spec.loader = _WhenUsed(spec.loader)
        return spec


class _WhenUsed(Loader):
    """Executes a module when an attribute that it does not have yet is asked for.

    The module has its path from the beginning. ``importlib.util.LazyLoader`` executes a package
    for its path, too: an import of a module in it would then execute that module twice.
    """

    def __init__(self, loader: Loader) -> None:
        self._loader = loader
        self._lock = RLock()
        self._begun = False

    def exec_module(self, module: ModuleType) -> None:
        def load(name: str) -> Any:
            with self._lock:  # until a thread that has begun is ready
                if not self._begun:
                    self._begun = True
                    self._loader.exec_module(module)
            if name not in module.__dict__:
                raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
            return module.__dict__[name]

        module.__dict__["__getattr__"] = load


def postpone_unused() -> None:
    """Let PyG not import ``torch._dynamo`` and data sets, and scikit-learn neither pandas nor
    ``scipy.stats``."""
    if _DATASETS not in sys.modules:
        sys.meta_path.insert(0, _LazyDatasets())
    for finder in (
        _Postponed("torch._dynamo", "torch_geometric.isinstance", stand_in=ModuleType("empty")),
        _Postponed("pandas", "sklearn.utils.fixes", following="sklearn."),
        _Postponed("scipy.stats", "sklearn.utils.fixes", "sklearn.", ModuleType("empty")),
    ):
        if not {finder.name, finder.importer} & set(sys.modules):
            sys.meta_path.insert(0, finder)
