"""Graph neural networks as estimators: the GCN, the paper's two stages, the residual network."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
