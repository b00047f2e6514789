"""Warnings that name the user's line, not one of ours."""

import sys
import warnings


def warn(message: str) -> None:
    """A UserWarning at the nearest caller outside this package."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals["__name__"].partition(".")[0] == __package__:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, stacklevel=level)
