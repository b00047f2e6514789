"""Figures of PNN: Baldi et al., "Parameterized neural networks for high-energy physics" (2016), arXiv:1601.07913."""
