"""What the tests of statistics share."""

import pytest
import tensorflow as tf


@pytest.fixture
def uncompiled():
    """Graphs run operation by operation, as `tf.config.run_functions_eagerly` lets a user look into them."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)
