"""Training a network on the sensitivity of the final measurement, systematic uncertainties included.

Will hold differentiable histograms, fits and test statistics, and the losses made of them, after
Simpson and Heinrich, arXiv:2203.05570.
"""

__all__ = []
