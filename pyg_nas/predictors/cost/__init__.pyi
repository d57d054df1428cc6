from .latency import LatencyRegressor as LatencyRegressor
from .log_labels import LogRegressor as LogRegressor
from .new_device import NewDeviceRegressor as NewDeviceRegressor
from .training_time import TimeRegressor as TimeRegressor
