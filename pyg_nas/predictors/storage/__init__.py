"""Fitted estimators as folders, the classes that can be stored, and exports."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
