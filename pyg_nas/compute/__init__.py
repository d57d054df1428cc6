"""Near the machine: threads, BLAS, just-in-time compilation, a random stream."""
