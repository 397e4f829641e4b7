"""Tests of the process border."""
