"""The file of a user's own predictor, which tests copy."""

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin


class Few(RegressorMixin, BaseEstimator):
    def fit(self, X, y):
        return self

    def predict(self, X):
        return np.log10(X.trainable_parameters())
