from .by_name import get_task as get_task
from .task import Part as Part
from .task import Task as Task
