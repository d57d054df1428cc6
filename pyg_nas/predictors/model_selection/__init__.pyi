from .tuning import TuneResult as TuneResult
from .tuning import TuneSettings as TuneSettings
from .tuning import tune as tune
