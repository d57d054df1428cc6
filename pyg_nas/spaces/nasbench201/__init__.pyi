from .architectures import official_codes as official_codes
from .architectures import official_texts as official_texts
from .space import NASBENCH201 as NASBENCH201
from .space import NASBENCH201_BUDGETS as NASBENCH201_BUDGETS
from .space import NUM_NASBENCH201_CELLS as NUM_NASBENCH201_CELLS
