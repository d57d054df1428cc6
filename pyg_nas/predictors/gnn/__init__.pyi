from .gcn import GCNClassifier as GCNClassifier
from .gcn import GCNRegressor as GCNRegressor
from .residual import ResidualGNNRegressor as ResidualGNNRegressor
from .two_stage import TwoStageRegressor as TwoStageRegressor
