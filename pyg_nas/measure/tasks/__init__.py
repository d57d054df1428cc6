"""Tasks: images with labels, and the loss and score of a network on them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
