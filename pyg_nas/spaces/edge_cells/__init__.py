"""What NAS-Bench-201 and TransNAS-Bench-101 share: operations on the six edges of four nodes."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
