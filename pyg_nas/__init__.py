"""Graph neural predictors for neural architecture search, on PyTorch Geometric.

The public names of this package and of its sub-packages are listed in their ``__init__.pyi`` and
imported when they are first used, so that ``import pyg_nas`` and ``pyg-nas --help`` do not wait
for torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
