"""Several plugins in one assistant."""
