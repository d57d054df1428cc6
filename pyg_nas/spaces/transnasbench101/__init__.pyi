from .space import TASKS as TASKS
from .space import TRANSNASBENCH101 as TRANSNASBENCH101
