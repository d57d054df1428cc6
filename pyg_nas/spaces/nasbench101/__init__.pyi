from .cells import nasbench101_cells as nasbench101_cells
from .cells import nasbench101_hashes as nasbench101_hashes
from .space import NASBENCH101 as NASBENCH101
from .space import NASBENCH101_BUDGETS as NASBENCH101_BUDGETS
from .space import NUM_NASBENCH101_CELLS as NUM_NASBENCH101_CELLS
