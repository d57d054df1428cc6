"""The command ``pyg-nas``: a thin shell over the library.

The command ``pyg-nas X`` is in ``commands/x.py``; beside that folder is what several commands use.
"""
