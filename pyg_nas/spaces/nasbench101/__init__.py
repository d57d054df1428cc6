"""NAS-Bench-101: cells, networks, official files (Ying et al., arXiv:1902.09635)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
