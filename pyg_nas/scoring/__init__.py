"""Scores of very many architectures: blocks of them, workers, and files of any length."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
