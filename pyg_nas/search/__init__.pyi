from .acquisition import ACQUISITIONS as ACQUISITIONS
from .ask_tell import Search as Search
from .candidate import Candidate as Candidate
from .confirmation import Confirmation as Confirmation
from .constraints import Constraints as Constraints
from .domain import Domain as Domain
from .early_stopping import EarlyStopping as EarlyStopping
from .evaluator import Evaluator as Evaluator
from .finish import Finish as Finish
from .folder import SearchFolder as SearchFolder
from .history import History as History
from .history import Proposal as Proposal
from .history import Query as Query
from .live import LiveEvaluator as LiveEvaluator
from .loop import search as search
from .methods import METHODS as METHODS
from .methods import make_strategy as make_strategy
from .outcome import Outcome as Outcome
from .outcome import Rung as Rung
from .result import SearchResult as SearchResult
from .strategies import (
    LocalSearch as LocalSearch,
)
from .strategies import (
    PredictorSearch as PredictorSearch,
)
from .strategies import (
    RandomSearch as RandomSearch,
)
from .strategies import (
    RegularizedEvolution as RegularizedEvolution,
)
from .strategies import (
    Strategy as Strategy,
)
from .table_evaluator import TableEvaluator as TableEvaluator
