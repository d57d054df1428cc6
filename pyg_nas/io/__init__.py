"""Files: written whole or not at all, cached arrays, JSON Lines, downloads."""
