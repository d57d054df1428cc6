"""Measuring cells for real: training their networks on images."""

from __future__ import annotations

from pyg_nas.measure.campaign import CampaignProgress, measure_cells
from pyg_nas.measure.executor import Executor
from pyg_nas.measure.journal import Journal
from pyg_nas.measure.settings import TrainingSettings
from pyg_nas.measure.task import Part, Task
from pyg_nas.measure.tasks import get_task

__all__ = [
    "CampaignProgress",
    "Executor",
    "Journal",
    "Part",
    "Task",
    "TrainingSettings",
    "get_task",
    "measure_cells",
]
