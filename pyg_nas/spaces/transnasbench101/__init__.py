"""The micro space of TransNAS-Bench-101: cells, networks, text form (arXiv:2105.11871)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
