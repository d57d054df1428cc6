"""NAS-Bench-101 (Ying et al., arXiv:1902.09635)."""
