from .api import NASBench as NASBench
from .api import table_from_nasbench as table_from_nasbench
from .lib.model_spec import ModelSpec as ModelSpec
from .lib.model_spec import OutOfDomainError as OutOfDomainError
from .statistics import Metrics as Metrics
from .statistics import NotMeasuredError as NotMeasuredError
