"""Training the networks of cells, and what it costs."""
