from .cell import Cell as Cell
from .cell_array import CellArray as CellArray
from .edit_distance import EditDistance as EditDistance
from .enumeration import (
    enumerate_cells as enumerate_cells,
)
from .enumeration import (
    nasbench101_cells as nasbench101_cells,
)
from .enumeration import (
    nasbench101_hashes as nasbench101_hashes,
)
from .enumeration import (
    sample_cells as sample_cells,
)
from .hashing import module_hash as module_hash
from .hashing import module_hashes as module_hashes
from .mutation import Genotype as Genotype
from .mutation import mutate as mutate
from .mutation import neighbours as neighbours
from .search_space import NASBENCH101 as NASBENCH101
from .search_space import SearchSpace as SearchSpace
