"""The parts of ``nasbench.lib`` that need no TensorFlow: graphs, cells and settings."""
