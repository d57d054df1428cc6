from .cells import cell_svg as cell_svg
from .cells import draw_cell as draw_cell
from .files import save_figure as save_figure
from .plots import draw_charts as draw_charts
from .plots import learning_curve as learning_curve
from .plots import pareto as pareto
from .plots import residuals as residuals
from .plots import scatter as scatter
