from .network_array import NetworkArray as NetworkArray
from .network_graph import NetworkGraph as NetworkGraph
from .network_graph import Vertex as Vertex
from .onnx_file import graph_of_onnx as graph_of_onnx
from .trace import graph_of as graph_of
from .vocabulary import OPERATIONS as OPERATIONS
