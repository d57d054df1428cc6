"""Tools for tests of this package and of others: small tables, a reference network, markers."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
