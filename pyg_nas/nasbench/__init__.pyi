from .api import (
    Metrics as Metrics,
)
from .api import (
    ModelSpec as ModelSpec,
)
from .api import (
    NASBench as NASBench,
)
from .api import (
    NotMeasuredError as NotMeasuredError,
)
from .api import (
    OutOfDomainError as OutOfDomainError,
)
from .api import (
    table_from_nasbench as table_from_nasbench,
)
