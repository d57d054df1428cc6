from .data import (
    CellDataset as CellDataset,
)
from .data import (
    LabelPolicy as LabelPolicy,
)
from .data import (
    NASBench101 as NASBench101,
)
from .data import (
    NASBench201 as NASBench201,
)
from .data import (
    Protocol as Protocol,
)
from .data import (
    Table as Table,
)
from .data import (
    open_table as open_table,
)
from .errors import PygNasError as PygNasError
from .graphs import (
    Cell as Cell,
)
from .graphs import (
    CellArray as CellArray,
)
from .graphs import (
    SearchSpace as SearchSpace,
)
from .graphs import (
    sample_cells as sample_cells,
)
from .predictors import (
    GCNClassifier as GCNClassifier,
)
from .predictors import (
    GCNRegressor as GCNRegressor,
)
from .predictors import (
    load_model as load_model,
)
from .predictors import (
    make_estimator as make_estimator,
)
from .predictors import (
    save_model as save_model,
)
from .spaces import (
    NASBENCH101 as NASBENCH101,
)
from .spaces import (
    nasbench101_cells as nasbench101_cells,
)
from .version import __version__ as __version__
