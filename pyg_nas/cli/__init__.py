"""The command ``pyg-nas``: a thin shell over the library, one module for each command."""
