from .regressor import GaussianProcess as GaussianProcess
