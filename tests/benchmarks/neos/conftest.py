"""What tests of NEOS's experiments share."""

from types import SimpleNamespace

import pytest


@pytest.fixture
def told() -> SimpleNamespace:
    """A display that adds up the work it is told of, as `work`."""
    display = SimpleNamespace(work=0.0)

    def advance(work, status):
        display.work += work

    display.advance = advance
    return display
