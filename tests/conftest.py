"""Settings for all tests: TensorFlow keeps quiet, and figures need no screen."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "agg")
