"""A display for tests of experiments."""


class Silent:
    """Shows nothing; notes the rows and the work to come, (n_rows, work), as `told`."""

    def begin(self, n_rows, work):
        self.told = n_rows, work

    def advance(self, work, status):
        pass
