from .nasbench101 import NASBENCH101 as NASBENCH101
from .nasbench101 import nasbench101_cells as nasbench101_cells
from .nasbench101 import nasbench101_hashes as nasbench101_hashes
from .nasbench201 import NASBENCH201 as NASBENCH201
from .transnasbench101 import TRANSNASBENCH101 as TRANSNASBENCH101
