"""What the tests of statistics share."""

import pytest
import tensorflow as tf

from neos_tf import TemplateModel
from tests.neos_tf.workspaces import MU, histosys, sample, specification

S, B = 6.0, 50.0  # expected counts of a counting experiment


@pytest.fixture
def uncompiled():
    """Graphs run operation by operation, as `tf.config.run_functions_eagerly` lets a user look into them."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="session")
def with_nuisance():
    """A counting experiment with a background of 50 - 4 or 50 + 6 at one standard deviation."""
    samples = [sample("signal", [S], MU), sample("background", [B], histosys("level", [B - 4], [B + 6]))]
    return TemplateModel.from_spec(specification(counting=samples)).bind()
