from .dataset import NetworkDataset as NetworkDataset
from .table import NetworkTable as NetworkTable
