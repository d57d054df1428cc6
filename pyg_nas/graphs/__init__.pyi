from .cell import Cell as Cell
from .cell_array import CellArray as CellArray
from .edit_distance import EditDistance as EditDistance
from .enumeration import (
    enumerate_cells as enumerate_cells,
)
from .enumeration import (
    sample_cells as sample_cells,
)
from .hashing import module_hash as module_hash
from .hashing import module_hashes as module_hashes
from .mutation import Genotype as Genotype
from .mutation import mutate as mutate
from .mutation import neighbours as neighbours
from .registry import default_space as default_space
from .registry import find_space as find_space
from .registry import open_space as open_space
from .registry import register_space as register_space
from .registry import space_names as space_names
from .search_space import SearchSpace as SearchSpace
from .space_support import CellNetwork as CellNetwork
from .space_support import ExtraFeatures as ExtraFeatures
from .space_support import NetworkSize as NetworkSize
from .space_support import SpaceSupport as SpaceSupport
