from .layers import CellModule as CellModule
from .layers import Frozen as Frozen
from .space import OwnSpace as OwnSpace
