"""Fast training and scoring of the networks that :mod:`pyg_nas.nn` defines."""
