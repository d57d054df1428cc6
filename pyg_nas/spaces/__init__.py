"""Search spaces, one package each, which contains everything particular to the space."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
