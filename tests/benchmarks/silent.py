"""A display for tests of experiments."""


class Silent:
    """Shows nothing; sums up the work of which it is told."""

    def __init__(self):
        self.work = 0.0

    def advance(self, work, status):
        self.work += work
