"""Search for the best cell: strategies propose cells, evaluators train them or look them up."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
