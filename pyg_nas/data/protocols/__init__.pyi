from .folds import stratified_folds as stratified_folds
from .labels import LabelPolicy as LabelPolicy
from .protocol import Protocol as Protocol
from .protocol import Split as Split
from .splits import split_rows as split_rows
