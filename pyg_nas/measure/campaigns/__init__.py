"""Campaigns: training runs of many cells, by several workers, stored as they finish."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
