"""Search for the best cell: strategies that propose, evaluators that answer, one loop between."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
