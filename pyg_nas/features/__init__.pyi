from .graph_features import (
    CellFeatures as CellFeatures,
)
from .graph_features import (
    cell_features as cell_features,
)
from .graph_features import (
    graph_feature_names as graph_feature_names,
)
from .graph_features import (
    vertex_feature_names as vertex_feature_names,
)
from .network_costs import network_cost_names as network_cost_names
from .network_costs import network_costs as network_costs
from .networks import network_feature_names as network_feature_names
from .networks import network_features as network_features
from .paths import path_feature_names as path_feature_names
from .paths import path_features as path_features
