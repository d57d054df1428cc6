"""Files: written completely or not at all, cached arrays, JSON Lines, downloads."""
