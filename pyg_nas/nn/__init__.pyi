from .conv import BiGCNConv as BiGCNConv
from .gcn import GCN as GCN
from .residual_gnn import ResidualGNN as ResidualGNN
