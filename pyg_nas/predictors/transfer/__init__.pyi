from .common_process import transfer_scores as transfer_scores
from .regressor import TransferRegressor as TransferRegressor
