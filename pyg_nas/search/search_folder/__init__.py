"""The folder of a search: settings, proposals and outcomes, on disk at once."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
