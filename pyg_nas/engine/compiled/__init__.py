"""Kernels compiled by Numba for the CPU: the fast paths of this room and of Gaussian processes.

Nothing here is imported before :func:`pyg_nas.compute.jit.compiled_enabled` says that compiled code
may be used. All numbers that these kernels compute, torch or NumPy computes without them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
