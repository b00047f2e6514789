"""Experiments of Simpson and Heinrich, arXiv:2203.05570 (NEOS), made with the import package `neos_tf`."""
