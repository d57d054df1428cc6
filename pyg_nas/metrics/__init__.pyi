from .intervals import (
    Interval as Interval,
)
from .intervals import (
    mean_interval as mean_interval,
)
from .intervals import (
    paired_difference as paired_difference,
)
from .pareto import pareto_front as pareto_front
from .regression import (
    best_in_top as best_in_top,
)
from .regression import (
    kendall_tau as kendall_tau,
)
from .regression import (
    mean_squared_error as mean_squared_error,
)
from .regression import (
    r2 as r2,
)
from .regression import (
    regression_metrics as regression_metrics,
)
from .regression import (
    regret_in_top as regret_in_top,
)
from .regression import (
    spearman as spearman,
)
