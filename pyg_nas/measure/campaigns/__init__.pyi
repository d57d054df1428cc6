from .campaign import CampaignProgress as CampaignProgress
from .campaign import measure_cells as measure_cells
from .executor import Executor as Executor
from .journal import Journal as Journal
