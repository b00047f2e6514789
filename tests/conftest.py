"""Settings for all tests: TensorFlow keeps quiet, figures need no screen, and networks start from fixed weights."""

import os
import random
from contextlib import contextmanager

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "agg")

import keras
import pytest


@pytest.fixture(scope="module", autouse=True)
def seeded_module():
    """TensorFlow's seed, of which shuffles are made; a new one costs all that is compiled, so it is not one a test."""
    keras.utils.set_random_seed(0)


def pytest_runtest_setup():
    """Python's seed, of which Keras makes those of layers: weights depend on no other test."""
    random.seed(0)


@pytest.fixture
def full_disk():
    """Context in which no file grows beyond some bytes: writing fails as on a full disk, by a real system error."""
    resource = pytest.importorskip("resource")

    @contextmanager
    def full_disk(n_bytes):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return full_disk
