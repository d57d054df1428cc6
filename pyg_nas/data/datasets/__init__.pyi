from .collate import collate_cells as collate_cells
from .dataset import CellDataset as CellDataset
from .loader import CollatedLoader as CollatedLoader
from .of_spaces import NASBench101 as NASBench101
from .of_spaces import NASBench201 as NASBench201
from .of_spaces import TransNASBench101 as TransNASBench101
