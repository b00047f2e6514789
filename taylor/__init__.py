"""Which inputs, and which relations between inputs, the output of a network rests on.

Will hold the Taylor coefficients of a network's output in its inputs, and their means over events, after
Wunsch, Friese, Wolf and Quast, arXiv:1803.08782.
"""

__all__ = []
