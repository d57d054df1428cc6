"""Training and scoring: faster paths to the numbers that ``pyg_nas.nn`` defines."""
