"""Search spaces: one package each holds all that is particular to it."""
