"""Experiments of Wunsch, Friese, Wolf and Quast, arXiv:1803.08782 (TAYLOR), made with the import package `taylor`."""
