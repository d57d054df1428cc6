"""NAS-Bench-201: cells, networks, text form (Dong and Yang, arXiv:2001.00326)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
