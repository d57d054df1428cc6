"""Any network as a graph of operations: PyTorch modules and ONNX files."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
