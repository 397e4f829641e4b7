"""A dispatcher for a test; it is never loaded."""


class Carrier:
    """Nothing of a dispatcher but its name."""

    name = "x"
