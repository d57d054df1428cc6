from .export import export_model as export_model
from .folder import load_model as load_model
from .folder import save_model as save_model
from .registry import register_estimator as register_estimator
from .state import Array as Array
from .state import FittedState as FittedState
