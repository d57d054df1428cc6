"""Graphs of all search spaces: cells, arrays of cells, hashes, mutations, distances."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
