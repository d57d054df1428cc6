"""Search for the best cell: strategies that propose, evaluators that answer, one loop between."""
