from .campaign import CampaignProgress as CampaignProgress
from .campaign import measure_cells as measure_cells
from .executor import Executor as Executor
from .journal import Journal as Journal
from .settings import TrainingSettings as TrainingSettings
from .task import Part as Part
from .task import Task as Task
from .tasks import get_task as get_task
