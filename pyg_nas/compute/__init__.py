"""Threads, BLAS, just-in-time compilation, a random stream."""
