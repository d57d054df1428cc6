from .dense_reference import reference_output as reference_output
from .markers import needs_cuda as needs_cuda
from .markers import needs_package as needs_package
from .samples import small_cells as small_cells
from .samples import small_table as small_table
