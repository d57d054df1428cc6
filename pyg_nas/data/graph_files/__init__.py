"""Files of the user's own graphs: JSON Lines, and Arrow."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
