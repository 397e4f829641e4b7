"""Tests of the shape of the code: which module may import which, and how large things may grow."""
