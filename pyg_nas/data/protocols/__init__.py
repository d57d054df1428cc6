"""What belongs to a reported number: labels, training cells and evaluated cells."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
