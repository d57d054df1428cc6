"""Predictors of whole networks, and the lists of networks that users name."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
