from .regressor import TransferRegressor as TransferRegressor
from .scores import transfer_scores as transfer_scores
