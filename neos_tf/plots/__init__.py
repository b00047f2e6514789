"""Figures of what neos_tf makes: `import neos_tf.plots`, which needs matplotlib, `pip install keras-hep[plots]`.

Each function returns a matplotlib Figure. It draws into `figure` instead if one is given, a Figure or SubFigure with
constrained layout, so that several stand side by side. Fonts, sizes and the ink are those of the user's own style;
colours are those of Okabe and Ito, which readers with any common colour blindness can tell apart, or `colours` by name.
"""

from neos_tf.plots.bands import cls_scan, limits, p_values
from neos_tf.plots.courses import course
from neos_tf.plots.nuisances import pulls, ranking
from neos_tf.plots.variations import templates

__all__ = ["cls_scan", "course", "limits", "p_values", "pulls", "ranking", "templates"]
