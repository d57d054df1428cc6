from .base import CellEstimator as CellEstimator
from .baselines import (
    FeatureRegressor as FeatureRegressor,
)
from .baselines import (
    ParameterCountRegressor as ParameterCountRegressor,
)
from .baselines import (
    StatisticsRegressor as StatisticsRegressor,
)
from .baselines import (
    boosted_trees as boosted_trees,
)
from .baselines import (
    random_forest as random_forest,
)
from .common_process import transfer_scores as transfer_scores
from .export import export_model as export_model
from .gaussian_process import GaussianProcess as GaussianProcess
from .gcn import GCNClassifier as GCNClassifier
from .gcn import GCNRegressor as GCNRegressor
from .hybrid import BestRegressor as BestRegressor
from .hybrid import HybridRegressor as HybridRegressor
from .label_transform import LabelTransform as LabelTransform
from .latency import LatencyRegressor as LatencyRegressor
from .log_labels import LogRegressor as LogRegressor
from .network_gnn import NetworkGNNRegressor as NetworkGNNRegressor
from .networks import NetworkRegressor as NetworkRegressor
from .new_device import NewDeviceRegressor as NewDeviceRegressor
from .recipes import make_estimator as make_estimator
from .recipes import register_recipe as register_recipe
from .registry import register_estimator as register_estimator
from .residual_gnn import ResidualGNNRegressor as ResidualGNNRegressor
from .state import Array as Array
from .state import FittedState as FittedState
from .storage import load_model as load_model
from .storage import save_model as save_model
from .trained import Evaluation as Evaluation
from .trained import Model as Model
from .trained import TrainedPredictor as TrainedPredictor
from .training_time import TimeRegressor as TimeRegressor
from .transfer_regressor import TransferRegressor as TransferRegressor
from .tuning import TuneResult as TuneResult
from .tuning import TuneSettings as TuneSettings
from .tuning import tune as tune
from .two_stage import TwoStageRegressor as TwoStageRegressor
