"""Replacement of the official ``nasbench`` package: ``from pyg_nas import nasbench as api``."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
