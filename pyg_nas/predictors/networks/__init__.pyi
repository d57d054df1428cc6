from .gnn import NetworkGNNRegressor as NetworkGNNRegressor
from .regressor import NetworkRegressor as NetworkRegressor
