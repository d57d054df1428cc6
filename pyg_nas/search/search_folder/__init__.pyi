from .folder import SearchFolder as SearchFolder
