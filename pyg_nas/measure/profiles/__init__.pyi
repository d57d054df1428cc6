from .profile import ProfileResult as ProfileResult
from .profile import profile_networks as profile_networks
