"""Graph networks over cells: sparse message passing, and the same weights on padded tensors."""
