from .architecture_csv import read_architectures as read_architectures
from .architecture_csv import write_architectures as write_architectures
from .shipped import shipped_latencies as shipped_latencies
from .shipped import shipped_table as shipped_table
from .sources import open_table as open_table
from .table import Table as Table
