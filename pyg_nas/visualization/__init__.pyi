from .cells import cell_svg as cell_svg
from .cells import draw_cell as draw_cell
from .plots import (
    learning_curve as learning_curve,
)
from .plots import (
    pareto as pareto,
)
from .plots import (
    residuals as residuals,
)
from .plots import (
    scatter as scatter,
)
