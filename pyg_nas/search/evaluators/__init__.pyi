from .evaluator import Evaluator as Evaluator
from .live import LiveEvaluator as LiveEvaluator
from .table import TableEvaluator as TableEvaluator
