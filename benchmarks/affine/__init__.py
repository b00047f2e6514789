"""Experiments of Anzalone, Diotallevi and Bonacorsi, arXiv:2202.00424 (AFFINE)."""
