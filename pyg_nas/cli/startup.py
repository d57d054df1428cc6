"""Faster start of commands: PyTorch Geometric without torch's compiler, which no command uses.

``torch_geometric.isinstance`` imports ``torch._dynamo``, which takes longer to import than torch
itself, for a comparison that is rarely made. An empty module replaces it during that one import;
torch imports the real one when an attribute of it is first used.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

_COMPILER = "torch._dynamo"
_IMPORTER = "torch_geometric.isinstance"


class _Postponed(MetaPathFinder):
    """Finds nothing; notices when the import begins, and when the next one does."""

    def __init__(self) -> None:
        self._stand_in = ModuleType(_COMPILER)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == _IMPORTER:
            sys.modules.setdefault(_COMPILER, self._stand_in)
        elif sys.modules.get(_COMPILER) is self._stand_in:
            del sys.modules[_COMPILER]
            sys.meta_path.remove(self)
        return None


def postpone_compiler() -> None:
    """Let PyTorch Geometric, when it is imported, not import ``torch._dynamo``."""
    if _COMPILER not in sys.modules and _IMPORTER not in sys.modules:
        sys.meta_path.insert(0, _Postponed())
