from .acquisition import ACQUISITIONS as ACQUISITIONS
from .by_name import METHODS as METHODS
from .by_name import make_strategy as make_strategy
from .strategies import LocalSearch as LocalSearch
from .strategies import PredictorSearch as PredictorSearch
from .strategies import RandomSearch as RandomSearch
from .strategies import RegularizedEvolution as RegularizedEvolution
from .strategies import Strategy as Strategy
