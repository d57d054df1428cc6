"""One module for each command of ``pyg-nas``, with its name."""
